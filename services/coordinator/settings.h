// SPDX-License-Identifier: Apache-2.0
//
// The coordinator's settings: read, checked, defaults filled in.
//
// Threads:  safe.
#pragma once

#include <filesystem>

#include "absl/status/statusor.h"
#include "larr/config/v1/server.pb.h"
#include "services/coordinator/coordinator.h"

namespace larr {

struct CoordinatorSettings {
  config::v1::ServerConfig server;
  std::filesystem::path state_dir;      // Absolute.
  std::filesystem::path stage_program;  // Absolute.
  CoordinatorOptions coordinator;       // Its artifact root is absolute.
};

// Reads a CoordinatorConfig. Relative paths are taken from the working folder.
// Errors: kInvalidArgument  names the field, its value and the fix
absl::StatusOr<CoordinatorSettings> LoadCoordinatorSettings(
    const std::filesystem::path& path);

}  // namespace larr
