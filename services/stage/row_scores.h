// SPDX-License-Identifier: Apache-2.0
//
// What one model says of rows: the seam between an evaluation and the kinds of
// models that it judges.
//
// Threads: one at a time.
#pragma once

#include <absl/status/statusor.h>
#include <torch/types.h>

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "common/dataset/impression_stream.h"

namespace larr::stage {

class RowScores {
 public:
  virtual ~RowScores() = default;

  // Whether it knows of orders, too.
  virtual bool has_order_task() const = 0;
  // Whether it reads texts, so that it can do without them.
  virtual bool reads_texts() const = 0;
  // Some rows a second: asked once for a row, and in small batches.
  virtual bool is_slow() const = 0;

  // P(click) and, with an order task, P(click and order): float32 [B, tasks].
  // What it is not told has its trained default: the user or the item of a row
  // with index -1, and every text without `with_texts`.
  virtual absl::StatusOr<torch::Tensor> Score(std::span<const Impression> rows,
                                              bool with_texts) = 0;

  // The texts that its scene encoder weighs against each other, by feature;
  // none where it does not.
  virtual std::vector<std::string> scene_features() const { return {}; }
  // What it says with texts, and the weights of those texts, and of agg itself
  // behind them: float32 [B, r + 1], rows sum to 1; undefined where it weighs
  // none.
  struct Seen {
    torch::Tensor probabilities;
    torch::Tensor attention;
  };
  virtual absl::StatusOr<Seen> ScoreAndLook(std::span<const Impression> rows) {
    auto probabilities = Score(rows, true);
    if (!probabilities.ok()) return probabilities.status();
    return Seen{*std::move(probabilities), {}};
  }
};

}  // namespace larr::stage
