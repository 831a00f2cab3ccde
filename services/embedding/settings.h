// SPDX-License-Identifier: Apache-2.0
//
// The embedding server's settings: read, and checked before anything is opened.
//
// Threads:  safe.
#pragma once

#include <filesystem>

#include "absl/status/statusor.h"
#include "larr/config/v1/server.pb.h"

namespace larr {

// Reads an EmbeddingConfig.
// Errors: kInvalidArgument  names the field that is required and not set;
//         otherwise those of common/config/text_proto.h
absl::StatusOr<config::v1::EmbeddingConfig> LoadEmbeddingSettings(
    const std::filesystem::path& path);

}  // namespace larr
