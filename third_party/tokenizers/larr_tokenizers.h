// SPDX-License-Identifier: Apache-2.0
// Hugging Face's `tokenizers` in C: a tokenizer.json opened, used, extended,
// saved.
//
// Errors:    a function that can fail returns NULL when all went well, else a
//            message for larr_tokenizers_free_string; its outputs are then
//            untouched. Nothing panics or throws across this interface.
// Text:      UTF-8 with an explicit size, no terminating zero; other bytes are
//            an error.
// Ownership: what comes out belongs to the caller, to be freed by the function
//            named.
// Threads:   functions on a const tokenizer may run concurrently; each works on
//            the calling thread alone.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct larr_tokenizer larr_tokenizer;

typedef struct {
  const char* data;
  size_t size;  // bytes
} larr_text;

// The ids of several texts, one after the other: those of text i are
// ids[i == 0 ? 0 : ends[i - 1]] up to, not including, ids[ends[i]].
typedef struct {
  uint32_t* ids;
  size_t id_count;
  size_t* ends;
  size_t text_count;
} larr_encodings;

void larr_tokenizers_free_string(char* text);

// Opens a tokenizer.json. Padding and truncation that it may ask for are left
// out.
char* larr_tokenizer_open(larr_text path, larr_tokenizer** tokenizer);
void larr_tokenizer_close(larr_tokenizer* tokenizer);

// Encodes text_count texts. Special tokens that stand in a text become their
// own id; none is added, neither a first nor a last one.
char* larr_tokenizer_encode(const larr_tokenizer* tokenizer,
                            const larr_text* texts, size_t text_count,
                            larr_encodings* encodings);
void larr_encodings_free(larr_encodings* encodings);

// The id of a token, special or not; *id is -1 where there is none.
char* larr_tokenizer_token_to_id(const larr_tokenizer* tokenizer,
                                 larr_text token, int64_t* id);

// One more than the highest id, added tokens included: the rows that an
// embedding table needs.
char* larr_tokenizer_vocab_size(const larr_tokenizer* tokenizer, size_t* size);

// Adds special tokens after the highest id, in their order; one that the
// tokenizer already has keeps its id. *added counts the new ones. An empty
// token is an error, and then none is added.
char* larr_tokenizer_add_special_tokens(larr_tokenizer* tokenizer,
                                        const larr_text* tokens,
                                        size_t token_count, size_t* added);

// Writes tokenizer.json, in place and not atomically: to a folder being made.
char* larr_tokenizer_save(const larr_tokenizer* tokenizer, larr_text path);

#ifdef __cplusplus
}  // extern "C"
#endif
