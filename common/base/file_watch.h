// SPDX-License-Identifier: Apache-2.0
//
// Tells whether a file that others replace atomically was replaced.
//
// Threads:    one at a time.
// Errors:     those of common/base/files.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"

namespace larr {

class FileWatch {
 public:
  explicit FileWatch(std::filesystem::path path) : path_(std::move(path)) {}

  const std::filesystem::path& path() const { return path_; }

  // True on the first call, and if the file is another one than on the last
  // call that gave true. Costs one stat.
  absl::StatusOr<bool> Changed();
  // Makes the next call give true: for who could not read what it found.
  void Forget() { seen_.reset(); }

 private:
  // What tells one version of the file from another.
  struct Version {
    uint64_t inode = 0;
    int64_t mtime_ns = 0;
    int64_t size = 0;
    bool operator==(const Version&) const = default;
  };

  const std::filesystem::path path_;
  std::optional<Version> seen_;
};

}  // namespace larr
