// SPDX-License-Identifier: Apache-2.0
#include "services/stage/p5_row_scores.h"

#include <utility>

#include "common/base/status_macros.h"

namespace larr::stage {

absl::StatusOr<std::unique_ptr<RowScores>> P5RowScores::Open(
    const Dataset& dataset, const std::filesystem::path& folder) {
  LARR_ASSIGN_OR_RETURN(auto recommender, P5Recommender::Read(folder, dataset));
  return std::unique_ptr<RowScores>(new P5RowScores(std::move(recommender)));
}

P5RowScores::P5RowScores(std::unique_ptr<P5Recommender> recommender)
    : recommender_(std::move(recommender)) {}

bool P5RowScores::has_order_task() const {
  return recommender_->description().has_order_task();
}

absl::StatusOr<torch::Tensor> P5RowScores::Score(
    std::span<const Impression> rows, bool /*with_texts*/) {
  return recommender_->Predict(rows);
}

}  // namespace larr::stage
