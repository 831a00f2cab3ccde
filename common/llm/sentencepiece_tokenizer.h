// SPDX-License-Identifier: Apache-2.0
//
// `tokenizer.model`, by Google's `sentencepiece`, as the tokenizer classes of
// Llama and Baichuan use it: added tokens (added_tokens.h) cut a text, and the
// model cuts each part between them as if it stood alone, with the prefix
// space, the normalisation and the bytes for what it does not know that the
// file asks for.
#pragma once

#include <absl/status/statusor.h>

#include <filesystem>
#include <memory>

#include "common/llm/tokenizer.h"

namespace larr {

inline constexpr char kTokenizerModel[] = "tokenizer.model";

absl::StatusOr<std::unique_ptr<TokenizerLibrary>> OpenSentencepieceTokenizer(
    const std::filesystem::path& folder);

}  // namespace larr
