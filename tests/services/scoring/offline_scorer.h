// SPDX-License-Identifier: Apache-2.0
//
// Scores impressions as an offline evaluation does: from the raw rows, all
// blocks at once, by the model's plain forward pass.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "tests/services/scoring/scoring_world.h"

namespace larr::testing {

// One impression: a user, a POI and its own columns, as a table has them.
struct Impression {
  std::string user, poi;
  Columns columns;
};

class OfflineScorer {
 public:
  // `world` outlives this; `model` is a folder of ScoringWorld::MakeModel.
  OfflineScorer(const ScoringWorld& world, const std::filesystem::path& model);
  ~OfflineScorer();

  // Probabilities of click, and of click and order.
  std::pair<float, float> Score(const Impression& impression) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace larr::testing
