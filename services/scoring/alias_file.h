// SPDX-License-Identifier: Apache-2.0
//
// Follows the file of an alias (config.v1.ServingBundle), which the
// coordinator replaces atomically whenever the alias moves.
//
// Threads:    one at a time.
// Errors:     kNotFound         the file does not exist (yet)
//             kInvalidArgument  it is not a ServingBundle, or has no token
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "common/base/file_watch.h"
#include "larr/config/v1/training.pb.h"

namespace larr {

class AliasFile {
 public:
  explicit AliasFile(std::filesystem::path path) : watch_(std::move(path)) {}

  const std::filesystem::path& path() const { return watch_.path(); }

  // The file's content if it changed since the last call that returned it and
  // its fencing token is higher than every one returned before; else nothing.
  // One that could not be read is tried again by the next call.
  // Costs one stat where the file is the same.
  absl::StatusOr<std::optional<config::v1::ServingBundle>> Poll();

 private:
  FileWatch watch_;
  int64_t token_ = 0;
};

}  // namespace larr
