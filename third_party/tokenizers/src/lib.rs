// SPDX-License-Identifier: Apache-2.0
//! The C interface of `larr_tokenizers.h`, which is its manual.
//!
//! Every entry runs inside `guard`: an error or a panic becomes a message.
#![deny(unsafe_op_in_unsafe_fn)]

use std::ffi::{c_char, CString};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::{ptr, slice, str};

use tokenizers::{AddedToken, Tokenizer};

type Result<T> = std::result::Result<T, String>;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Text {
    data: *const c_char,
    size: usize,
}

#[repr(C)]
pub struct Encodings {
    ids: *mut u32,
    id_count: usize,
    ends: *mut usize,
    text_count: usize,
}

/// Runs `body`; NULL if it went well, else the message for C.
fn guard(body: impl FnOnce() -> Result<()>) -> *mut c_char {
    let message = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => return ptr::null_mut(),
        Ok(Err(message)) => message,
        Err(panic) => {
            let what = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("no message");
            format!("the tokenizers library panicked, which is a bug: {what}")
        }
    };
    into_c_string(message)
}

/// A zero inside would end a C string early: it is shown as U+2400.
fn into_c_string(text: String) -> *mut c_char {
    CString::new(text.replace('\0', "\u{2400}"))
        .expect("zeros were replaced")
        .into_raw()
}

/// # Safety
/// `data` points to `count` elements, or `count` is 0.
unsafe fn as_slice<'a, T>(data: *const T, count: usize) -> &'a [T] {
    if count == 0 {
        return &[];
    }
    unsafe { slice::from_raw_parts(data, count) }
}

/// # Safety
/// `text.data` points to `text.size` bytes.
unsafe fn as_str<'a>(what: &str, text: Text) -> Result<&'a str> {
    let bytes = unsafe { as_slice(text.data.cast::<u8>(), text.size) };
    str::from_utf8(bytes).map_err(|error| {
        format!(
            "{what} is not UTF-8: wrong byte at offset {}",
            error.valid_up_to()
        )
    })
}

fn into_raw<T>(values: Vec<T>) -> *mut T {
    Box::into_raw(values.into_boxed_slice()).cast()
}

/// # Safety
/// `data` came from `into_raw` of a vector of `count`, or is NULL.
unsafe fn free_raw<T>(data: *mut T, count: usize) {
    if !data.is_null() {
        drop(unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(data, count)) });
    }
}

#[no_mangle]
pub unsafe extern "C" fn larr_tokenizers_free_string(text: *mut c_char) {
    if !text.is_null() {
        drop(unsafe { CString::from_raw(text) });
    }
}

#[no_mangle]
pub unsafe extern "C" fn larr_tokenizer_open(
    path: Text,
    tokenizer: *mut *mut Tokenizer,
) -> *mut c_char {
    guard(|| {
        let path = unsafe { as_str("the path of the tokenizer", path) }?;
        let mut opened = Tokenizer::from_file(path).map_err(|error| format!("{path}: {error}"))?;
        opened.with_padding(None);
        opened
            .with_truncation(None)
            .map_err(|error| format!("{path}: {error}"))?;
        unsafe { *tokenizer = Box::into_raw(Box::new(opened)) };
        Ok(())
    })
}

#[no_mangle]
pub unsafe extern "C" fn larr_tokenizer_close(tokenizer: *mut Tokenizer) {
    if !tokenizer.is_null() {
        drop(unsafe { Box::from_raw(tokenizer) });
    }
}

#[no_mangle]
pub unsafe extern "C" fn larr_tokenizer_encode(
    tokenizer: *const Tokenizer,
    texts: *const Text,
    text_count: usize,
    encodings: *mut Encodings,
) -> *mut c_char {
    guard(|| {
        let (tokenizer, texts) = unsafe { (&*tokenizer, as_slice(texts, text_count)) };
        let mut ids = Vec::new();
        let mut ends = Vec::with_capacity(text_count);
        for (i, text) in texts.iter().enumerate() {
            let text = unsafe { as_str(&format!("text {i}"), *text) }?;
            let encoding = tokenizer
                .encode_fast(text, /*add_special_tokens=*/ false)
                .map_err(|error| format!("text {i} cannot be encoded: {error}"))?;
            ids.extend_from_slice(encoding.get_ids());
            ends.push(ids.len());
        }
        let id_count = ids.len();
        unsafe {
            *encodings = Encodings {
                ids: into_raw(ids),
                id_count,
                ends: into_raw(ends),
                text_count,
            };
        }
        Ok(())
    })
}

#[no_mangle]
pub unsafe extern "C" fn larr_encodings_free(encodings: *mut Encodings) {
    unsafe {
        let Encodings {
            ids,
            id_count,
            ends,
            text_count,
        } = *encodings;
        free_raw(ids, id_count);
        free_raw(ends, text_count);
        *encodings = Encodings {
            ids: ptr::null_mut(),
            id_count: 0,
            ends: ptr::null_mut(),
            text_count: 0,
        };
    }
}

#[no_mangle]
pub unsafe extern "C" fn larr_tokenizer_token_to_id(
    tokenizer: *const Tokenizer,
    token: Text,
    id: *mut i64,
) -> *mut c_char {
    guard(|| {
        let token = unsafe { as_str("the token", token) }?;
        unsafe { *id = (*tokenizer).token_to_id(token).map_or(-1, i64::from) };
        Ok(())
    })
}

#[no_mangle]
pub unsafe extern "C" fn larr_tokenizer_vocab_size(
    tokenizer: *const Tokenizer,
    size: *mut usize,
) -> *mut c_char {
    guard(|| {
        let vocabulary = unsafe { &*tokenizer }.get_vocab(/*with_added_tokens=*/ true);
        let highest = vocabulary.into_values().max();
        unsafe { *size = highest.map_or(0, |id| id as usize + 1) };
        Ok(())
    })
}

#[no_mangle]
pub unsafe extern "C" fn larr_tokenizer_add_special_tokens(
    tokenizer: *mut Tokenizer,
    tokens: *const Text,
    token_count: usize,
    added: *mut usize,
) -> *mut c_char {
    guard(|| {
        let texts = unsafe { as_slice(tokens, token_count) };
        let mut tokens = Vec::with_capacity(token_count);
        for (i, text) in texts.iter().enumerate() {
            let token = unsafe { as_str(&format!("special token {i}"), *text) }?;
            if token.is_empty() {
                return Err(format!("special token {i} is empty"));
            }
            tokens.push(AddedToken::from(token, /*special=*/ true));
        }
        let tokenizer = unsafe { &mut *tokenizer };
        let before = tokenizer.get_vocab_size(true);
        tokenizer.add_special_tokens(&tokens);
        unsafe { *added = tokenizer.get_vocab_size(true) - before };
        Ok(())
    })
}

#[no_mangle]
pub unsafe extern "C" fn larr_tokenizer_save(
    tokenizer: *const Tokenizer,
    path: Text,
) -> *mut c_char {
    guard(|| {
        let path = unsafe { as_str("the path to save to", path) }?;
        unsafe { &*tokenizer }
            .save(path, /*pretty=*/ true)
            .map_err(|error| format!("{path}: {error}"))
    })
}
