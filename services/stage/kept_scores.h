// SPDX-License-Identifier: Apache-2.0
//
// Scores of finished batches, kept on disk so that a stage that was killed does
// not compute them again.
//
// A batch is known by a hash of all that its scores follow from: the origin
// (models, snapshot, settings) and the content of its rows and of the users and
// POIs that they joined. Scores of another origin or of rows that have changed
// are not found, so they are never mixed with new ones.
//
// Memory:  nothing is held.
// Threads: one at a time.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <torch/types.h>

#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/dataset/impression_stream.h"

namespace larr::stage {

// Of one batch, by any name: float32, a row for each of its rows.
using BatchScores = std::map<std::string, torch::Tensor>;

class KeptScores {
 public:
  // `folder` is made at the first Keep.
  KeptScores(std::filesystem::path folder, std::string origin)
      : folder_(std::move(folder)), origin_(std::move(origin)) {}

  // The name of a batch's scores; `part` tells equal rows of two parts apart.
  std::string KeyOf(std::string_view part,
                    std::span<const Impression> rows) const;

  // Nothing if they were not kept, or their file is damaged.
  std::optional<BatchScores> Find(const std::string& key) const;

  // Durable when it returns OK. Errors: those of files.h
  absl::Status Keep(const std::string& key, const BatchScores& scores) const;

 private:
  std::filesystem::path PathOf(const std::string& key) const;

  const std::filesystem::path folder_;
  const std::string origin_;
};

}  // namespace larr::stage
