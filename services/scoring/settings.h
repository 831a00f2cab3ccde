// SPDX-License-Identifier: Apache-2.0
//
// The scoring server's settings: read, checked, defaults filled in.
//
// Threads:  safe.
#pragma once

#include <filesystem>

#include "absl/status/statusor.h"
#include "larr/config/v1/server.pb.h"
#include "services/scoring/bundle.h"
#include "services/scoring/scoring_service.h"

namespace larr {

struct ScoringSettings {
  config::v1::ScoringConfig config;  // As it was read.
  ScoringOptions service;
  BundleOptions bundle;
};

// Reads a ScoringConfig. `server` is checked by CheckServerConfig
// (common/rpc/grpc_server.h).
// Errors: kInvalidArgument  names the field, its value and the fix;
//         otherwise those of common/config/text_proto.h
absl::StatusOr<ScoringSettings> LoadScoringSettings(
    const std::filesystem::path& path);

}  // namespace larr
