// SPDX-License-Identifier: Apache-2.0
//
// A bag of words as a TextEncoder (common/llm/bag_of_words.h). It has one
// precision, float32, and reads no tokens.
#pragma once

#include <filesystem>
#include <memory>

#include "absl/status/statusor.h"
#include "services/embedding/text_encoder.h"

namespace larr {

// Errors:  those of common/llm/bag_of_words.h about the folder
absl::StatusOr<std::unique_ptr<TextEncoder>> OpenBagOfWordsEncoder(
    const std::filesystem::path& folder);

}  // namespace larr
