// SPDX-License-Identifier: Apache-2.0
//
// `tokenizer.json`, by Hugging Face's `tokenizers` library.
#pragma once

#include <absl/status/statusor.h>

#include <filesystem>
#include <memory>

#include "common/llm/tokenizer.h"

namespace larr {

inline constexpr char kTokenizerJson[] = "tokenizer.json";

absl::StatusOr<std::unique_ptr<TokenizerLibrary>> OpenJsonTokenizer(
    const std::filesystem::path& folder);

}  // namespace larr
