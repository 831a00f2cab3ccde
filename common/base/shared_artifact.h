// SPDX-License-Identifier: Apache-2.0
//
// One artifact (artifact_folder.h) under a second name. Its files are the same
// files: they take no space, and stay for as long as one of the names does.
//
// Threads:    safe, for different new names.
// Errors:     those of files.h and of `ReadArtifact`
#pragma once

#include <filesystem>

#include "absl/status/statusor.h"
#include "larr/config/v1/model.pb.h"

namespace larr {

// Makes the artifact `to` of the files that the manifest of `from` lists, by
// hard links, or by copies where the file system has none. Checks each file's
// size, not its hash. `to` appears whole or not at all.
// Errors: kAlreadyExists  `to` is there
absl::StatusOr<config::v1::ArtifactManifest> ShareArtifact(
    const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace larr
