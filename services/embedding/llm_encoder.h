// SPDX-License-Identifier: Apache-2.0
//
// The language model as a TextEncoder.
//
// Threads:  calls take turns on the model.
#pragma once

#include <filesystem>
#include <memory>

#include "absl/status/statusor.h"
#include "larr/config/v1/training.pb.h"
#include "services/embedding/text_encoder.h"

namespace larr {

// Opens a checkpoint folder with `larr.json`. `threads` 0: as many as cores;
// sets the process's threads of LibTorch.
//
// Errors:  kInvalidArgument  a setting of `config`;  otherwise those of
//          common/llm/embedder.h about the checkpoint
absl::StatusOr<std::unique_ptr<TextEncoder>> OpenLlmEncoder(
    const std::filesystem::path& checkpoint,
    const config::v1::EmbedConfig& config, int threads);

}  // namespace larr
