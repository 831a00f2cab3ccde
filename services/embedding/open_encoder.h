// SPDX-License-Identifier: Apache-2.0
//
// The encoder of an embedder's folder: a language model, or a bag of words.
#pragma once

#include <filesystem>
#include <memory>

#include "absl/status/statusor.h"
#include "larr/config/v1/training.pb.h"
#include "services/embedding/text_encoder.h"

namespace larr {

// Opens what the contrast stage wrote. `threads` as in llm_encoder.h.
//
// Errors:  those of llm_encoder.h and bag_of_words_encoder.h
absl::StatusOr<std::unique_ptr<TextEncoder>> OpenTextEncoder(
    const std::filesystem::path& checkpoint,
    const config::v1::EmbedConfig& config, int threads);

}  // namespace larr
