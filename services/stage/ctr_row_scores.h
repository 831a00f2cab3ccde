// SPDX-License-Identifier: Apache-2.0
//
// A recommender of ALIGN as scores of rows.
//
// Threads: one at a time.
#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/ctr/model_io.h"
#include "common/dataset/dataset_spec.h"
#include "common/store/snapshot.h"
#include "services/stage/ctr_batcher.h"
#include "services/stage/row_scores.h"

namespace larr::stage {

class CtrRowScores : public RowScores {
 public:
  // `snapshot` is null for a model without texts; it outlives the object, and
  // so does `dataset`. Errors: those of CtrBatcher
  static absl::StatusOr<std::unique_ptr<RowScores>> Create(
      const Dataset& dataset, LoadedCtrModel loaded, const Snapshot* snapshot);

  bool has_order_task() const override;
  bool reads_texts() const override;
  bool is_slow() const override { return false; }
  absl::StatusOr<torch::Tensor> Score(std::span<const Impression> rows,
                                      bool with_texts) override;
  std::vector<std::string> scene_features() const override;
  absl::StatusOr<Seen> ScoreAndLook(std::span<const Impression> rows) override;

 private:
  CtrRowScores(LoadedCtrModel loaded, std::unique_ptr<CtrBatcher> batcher);

  absl::StatusOr<CtrBatch> BatchOf(std::span<const Impression> rows);

  const LoadedCtrModel loaded_;
  const std::unique_ptr<CtrBatcher> batcher_;
};

}  // namespace larr::stage
