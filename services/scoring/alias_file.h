// SPDX-License-Identifier: Apache-2.0
//
// Follows the file of an alias (config.v1.ServingBundle), which the
// coordinator replaces atomically whenever the alias moves.
//
// Threads:    one at a time.
// Errors:     kNotFound         the file does not exist (yet)
//             kInvalidArgument  it is not a ServingBundle
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "absl/status/statusor.h"
#include "larr/config/v1/training.pb.h"

namespace larr {

class AliasFile {
 public:
  explicit AliasFile(std::filesystem::path path) : path_(std::move(path)) {}

  const std::filesystem::path& path() const { return path_; }

  // The file's content if it changed since the last call that returned it and
  // its fencing token is higher than every one returned before; else nothing.
  // Costs one stat where the file is the same.
  absl::StatusOr<std::optional<config::v1::ServingBundle>> Poll();

 private:
  // What tells one version of the file from another.
  struct Version {
    uint64_t inode = 0;
    int64_t mtime_ns = 0;
    int64_t size = 0;
    bool operator==(const Version&) const = default;
  };
  absl::StatusOr<Version> Stat() const;

  const std::filesystem::path path_;
  std::optional<Version> seen_;
  int64_t token_ = 0;
};

}  // namespace larr
