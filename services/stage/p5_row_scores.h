// SPDX-License-Identifier: Apache-2.0
//
// A P5 of ALIGN as scores of rows.
//
// Threads: one at a time.
#pragma once

#include <absl/status/statusor.h>

#include <filesystem>
#include <memory>

#include "common/dataset/dataset_spec.h"
#include "services/stage/p5_recommender.h"
#include "services/stage/row_scores.h"

namespace larr::stage {

class P5RowScores : public RowScores {
 public:
  // `folder`: an artifact of kind kP5Kind. `dataset` outlives the object.
  // Errors: those of P5Recommender::Read
  static absl::StatusOr<std::unique_ptr<RowScores>> Open(
      const Dataset& dataset, const std::filesystem::path& folder);

  bool has_order_task() const override;
  // No: texts are part of the prompt, and one that is missing is left out.
  bool reads_texts() const override { return false; }
  absl::StatusOr<torch::Tensor> Score(std::span<const Impression> rows,
                                      bool with_texts) override;

 private:
  explicit P5RowScores(std::unique_ptr<P5Recommender> recommender);

  const std::unique_ptr<P5Recommender> recommender_;
};

}  // namespace larr::stage
