// SPDX-License-Identifier: Apache-2.0
#include "services/stage/validation.h"

#include <absl/status/status.h>
#include <torch/utils.h>

#include <cmath>
#include <cstdint>

#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/ctr/score_distribution.h"
#include "common/dataset/impression_stream.h"
#include "services/stage/ctr_metrics_json.h"
#include "services/stage/row_batches.h"

namespace larr::stage {
namespace {

// Summed over rows and tasks.
double SumOfLosses(CtrModel& model, const CtrBatch& batch) {
  const c10::InferenceMode inference;
  const auto out = model.Forward(batch, model.tables().Lookup(batch.ids));
  return torch::binary_cross_entropy_with_logits(out.logits, batch.labels, {},
                                                 {}, at::Reduction::None)
      .sum(torch::kFloat64)
      .item<double>();
}

config::v1::ScoreDistribution DistributionOf(const ModelScores& scores) {
  config::v1::ScoreDistribution distribution;
  if (!scores.ctr.empty())
    *distribution.mutable_ctr() = MakeHistogram(scores.ctr);
  if (!scores.ctcvr.empty())
    *distribution.mutable_ctcvr() = MakeHistogram(scores.ctcvr);
  return distribution;
}

}  // namespace

absl::StatusOr<double> ValidationLoss(const Dataset& dataset, CtrModel& model,
                                      CtrBatcher& batcher) {
  LARR_ASSIGN_OR_RETURN(auto stream, ImpressionStream::Open(
                                         dataset, {.part = Part::kValidation}));
  double sum = 0;
  int64_t rows = 0;
  LARR_RETURN_IF_ERROR(ForBatches(
      stream, batcher, [](const Impression&) {},
      [&](const CtrBatch& batch) {
        sum += SumOfLosses(model, batch);
        rows += batch.rows();
        return absl::OkStatus();
      }));
  const double loss = sum / static_cast<double>(rows);
  if (std::isfinite(loss)) return loss;
  return Invalid(
      "the loss on the {} validation rows of dataset \"{}\" is {}; `patience` "
      "needs one: check the split and the dataset's numbers",
      rows, dataset.spec.name(), loss);
}

absl::StatusOr<Validation> Validate(const Dataset& dataset, CtrModel& model,
                                    CtrBatcher& batcher) {
  LARR_ASSIGN_OR_RETURN(auto stream, ImpressionStream::Open(
                                         dataset, {.part = Part::kValidation}));
  RowLabels labels;
  ModelScores scores;
  LARR_RETURN_IF_ERROR(ForBatches(
      stream, batcher, [&](const Impression& row) { labels.Add(row); },
      [&](const CtrBatch& batch) { return scores.Add(model.Predict(batch)); }));
  return Validation{MetricsJson(ComputeTaskMetrics(labels, scores, {})),
                    DistributionOf(scores)};
}

}  // namespace larr::stage
