// SPDX-License-Identifier: Apache-2.0
//
// The results of one size: a folder of shards' JSONs (shard_result.h),
// `<folder>/<arm>-s<seed>-<digest>.json`. A shard whose file is there is done,
// whatever machine it was done on.
//
// Threads:  one
// Errors:   kDataLoss  a file is not a result;  otherwise those of files.h
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tools/experiment/experiment.h"
#include "tools/experiment/shard_result.h"

namespace larr::experiment {

class Results {
 public:
  // Reads what is there; a folder that is not there holds nothing.
  static absl::StatusOr<Results> Read(const std::filesystem::path& folder);

  // The result of these settings, on whatever data: the newest, if there are
  // several. Null if there is none. Valid until Add.
  const Json* Find(const Shard& shard) const;
  // The result of exactly this content; null if there is none.
  const Json* FindDigest(const std::string& digest) const;

  // Writes a result, atomically, and knows it from now on.
  absl::Status Add(const Json& result);

  size_t size() const { return by_digest_.size(); }

  // Seconds that shards should take, one after another, by those that are
  // done: negative if nothing is. `texts`: by shard, what tells the language
  // models apart (ShardDigest.texts), empty if that is not known.
  double EstimateSeconds(const std::vector<Shard>& shards,
                         const std::vector<std::string>& texts) const;

 private:
  explicit Results(std::filesystem::path folder) : folder_(std::move(folder)) {}

  void Know(Json result);

  std::filesystem::path folder_;
  std::map<std::string, Json> by_digest_;
  std::map<std::string, std::string> digest_by_text_;  // the newest
};

}  // namespace larr::experiment
