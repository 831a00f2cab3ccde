// SPDX-License-Identifier: Apache-2.0
//
// The losses of stage 3 by step, in means over a few steps:
// [{"step", "loss", "ctr", "ctcvr", "alignment"}, ...]. A curve that is saved
// with a checkpoint on one of its points goes on as if it had never stopped.
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "common/ctr/trainer.h"

namespace larr::stage {

class LossCurve {
 public:
  // Steps that a point is the mean of.
  static constexpr int64_t kEvery = 10;

  // Returns true if `step` made a point: each kEvery, and the last one.
  bool Add(int64_t step, const StepLoss& loss, int64_t total_steps);
  // Makes the point of a `step` that turned out to be the last one.
  void Finish(int64_t step);

  // The total loss of the last point. REQUIRES: there is one.
  double last() const { return points_.back()["loss"].get<double>(); }
  const nlohmann::ordered_json& points() const { return points_; }

  absl::Status Save(const std::filesystem::path& path) const;
  // Drops what came after `step`: it will come again.
  absl::Status Load(const std::filesystem::path& path, int64_t step);

 private:
  void MakePoint(int64_t step);

  nlohmann::ordered_json points_ = nlohmann::ordered_json::array();
  StepLoss sum_;
  int64_t count_ = 0;
};

}  // namespace larr::stage
