// SPDX-License-Identifier: Apache-2.0
//
// The manifest of an artifact folder (artifact_folder.h) as text, apart from
// any folder: what it may say, whoever wrote it.
//
// Threads:    pure functions.
// Errors:     kDataLoss  names the manifest, and the file or field
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "larr/config/v1/model.pb.h"

namespace larr {

inline constexpr char kManifestName[] = "manifest.textproto";

// The identity of what a manifest lists: SHA-256 over (path, sha256) lines.
std::string ManifestDigest(const config::v1::ArtifactManifest& manifest);

// Reads a manifest and checks that its digest fits, that every path leads to a
// file within the folder, and that files stand once each, sorted by path.
// `name` stands for it in errors.
absl::StatusOr<config::v1::ArtifactManifest> ParseManifest(
    const std::string& text, std::string_view name);

// The checks of `ParseManifest` but for the digest.
absl::Status CheckManifestFiles(const config::v1::ArtifactManifest& manifest,
                                std::string_view name);

// Whether a folder holds what its manifest lists, each file with its size, and
// nothing else. `sizes` are by path, without the manifest, and -1 for what is
// no plain file; `folder` stands for the folder in errors.
absl::Status CheckListing(const config::v1::ArtifactManifest& manifest,
                          const std::map<std::string, int64_t>& sizes,
                          std::string_view folder);

}  // namespace larr
