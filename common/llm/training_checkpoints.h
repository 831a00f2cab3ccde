// SPDX-License-Identifier: Apache-2.0
//
// The checkpoints of a training run, a folder each:
//
//   <folder>/step-00000100/rank-0-of-1.safetensors
//
// Each process writes its own file into `step-00000100.tmp`; when all of them
// are on the disk, the first process gives the folder its name. So a name that
// ends in digits is a whole checkpoint, whenever the machine stopped.
//
// Threads: one at a time.
// Errors:  those of safetensors.h, and
//          kFailedPrecondition  the checkpoint is of a run with other settings,
//                               or of another number of processes
//          kDataLoss            its bytes are not those that were written
//          kUnavailable         another process failed
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "common/tensors/safetensors.h"

namespace larr {

// This process among those that train one model together.
struct TrainingRank {
  int rank = 0;
  int count = 1;
  // Waits for all of them to call it; whether all of them said true.
  std::function<absl::StatusOr<bool>(bool mine)> all = [](bool mine) {
    return mine;
  };
  // Waits likewise; what the first of them said.
  std::function<absl::StatusOr<int64_t>(int64_t mine)> first =
      [](int64_t mine) { return mine; };
};

class TrainingCheckpoints {
 public:
  TrainingCheckpoints(std::filesystem::path folder, TrainingRank rank)
      : folder_(std::move(folder)), rank_(std::move(rank)) {}

  const std::filesystem::path& folder() const { return folder_; }

  // The steps that there are checkpoints of, the newest first; those that rank
  // 0 sees. All processes call it together.
  // Errors: kUnavailable  the folder is there and cannot be listed
  absl::StatusOr<std::vector<int64_t>> Steps() const;

  // This process's file of a checkpoint, every byte of it checked.
  absl::StatusOr<SafetensorsFile> Read(int64_t step,
                                       const std::string& identity) const;

  // The `state` that was written with the tensors.
  static absl::StatusOr<std::string> StateOf(const SafetensorsFile& file);

  // Writes a checkpoint, or replaces it. All processes call it together.
  absl::Status Write(int64_t step, const std::string& identity,
                     const std::map<std::string, torch::Tensor>& tensors,
                     const std::string& state) const;

  // Removes all but the `count` newest of the steps up to `step`, and `best`.
  // Later steps are what was damaged when `step` was taken up.
  absl::Status Keep(int64_t step, int count, int64_t best) const;

 private:
  absl::StatusOr<std::vector<int64_t>> OwnSteps() const;
  std::filesystem::path PathOf(int64_t step) const;
  std::string FileName() const;
  // `mine`, or that another process failed.
  absl::Status Together(const absl::Status& mine) const;
  absl::Status Rename(int64_t step) const;

  const std::filesystem::path folder_;
  const TrainingRank rank_;
};

}  // namespace larr
