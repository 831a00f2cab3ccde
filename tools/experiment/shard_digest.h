// SPDX-License-Identifier: Apache-2.0
//
// What a shard is by content: the settings that its stages read, with the data
// and the language model that their paths lead to. The same on any machine, and
// another as soon as one of them is.
//
// Threads:  one.
// Errors:   kNotFound  a path of the settings leads nowhere;  otherwise those of
//           the file system and of the dataset's spec
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "tools/experiment/experiment.h"

namespace larr::experiment {

struct ShardDigest {
  std::string digest;  // 12 hex digits
  // The same of what makes the texts' vectors: shards that agree in it share
  // the language model's stages.
  std::string texts;
  std::string dataset;     // what the dataset is: its own digest, 12 hex digits
  std::string base_model;  // the folder's name, `@`, its digest; "" if unread
};

// Remembers what it has read: files are read once.
class ShardDigests {
 public:
  // `folder`: of the experiments' files, which their paths are relative to.
  explicit ShardDigests(std::filesystem::path folder)
      : folder_(std::move(folder)) {}

  absl::StatusOr<ShardDigest> Of(const Shard& shard);

 private:
  absl::StatusOr<std::string> Dataset(const std::filesystem::path& path);
  absl::StatusOr<std::string> BaseModel(const std::filesystem::path& path);

  const std::filesystem::path folder_;
  std::map<std::string, std::string> known_;  // by path
};

// The run of a shard, as coordinators know it: `x-<digest>`.
std::string RunId(const ShardDigest& digest);

}  // namespace larr::experiment
