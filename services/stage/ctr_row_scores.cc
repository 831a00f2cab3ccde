// SPDX-License-Identifier: Apache-2.0
#include "services/stage/ctr_row_scores.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <span>
#include <utility>

#include "common/base/status_macros.h"
#include "common/ctr/ctr_model.h"

namespace larr::stage {

absl::StatusOr<std::unique_ptr<RowScores>> CtrRowScores::Create(
    const Dataset& dataset, LoadedCtrModel loaded, const Snapshot* snapshot) {
  LARR_ASSIGN_OR_RETURN(
      auto batcher, CtrBatcher::Create(dataset, loaded.description, snapshot));
  return std::unique_ptr<RowScores>(
      new CtrRowScores(std::move(loaded), std::move(batcher)));
}

CtrRowScores::CtrRowScores(LoadedCtrModel loaded,
                           std::unique_ptr<CtrBatcher> batcher)
    : loaded_(std::move(loaded)), batcher_(std::move(batcher)) {}

bool CtrRowScores::has_order_task() const {
  return loaded_.description.has_order_task();
}

bool CtrRowScores::reads_texts() const {
  return loaded_.model->layout().slot_count() > 0;
}

absl::StatusOr<CtrBatch> CtrRowScores::BatchOf(
    std::span<const Impression> rows) {
  for (const Impression& row : rows) batcher_->Add(row);
  return batcher_->Take();
}

std::vector<std::string> CtrRowScores::scene_features() const {
  if (!reads_texts() || loaded_.description.architecture().readout() !=
                            config::v1::CtrArchitecture::AGG)
    return {};
  const auto& names = loaded_.description.dataset().scene_features();
  return {names.begin(), names.end()};
}

absl::StatusOr<RowScores::Seen> CtrRowScores::ScoreAndLook(
    std::span<const Impression> rows) {
  LARR_ASSIGN_OR_RETURN(const CtrBatch batch, BatchOf(rows));
  Seen seen{loaded_.model->Predict(batch), {}};
  if (scene_features().empty()) return seen;
  const torch::NoGradGuard no_grad;
  seen.attention = loaded_.model->scene_encoder()->AttentionOfAgg(batch.scene);
  return seen;
}

absl::StatusOr<torch::Tensor> CtrRowScores::Score(
    std::span<const Impression> rows, bool with_texts) {
  LARR_ASSIGN_OR_RETURN(CtrBatch batch, BatchOf(rows));
  if (!with_texts && reads_texts())
    batch.scene.index_Br = torch::full_like(batch.scene.index_Br, -1);
  return loaded_.model->Predict(batch);
}

}  // namespace larr::stage
