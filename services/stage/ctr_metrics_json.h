// SPDX-License-Identifier: Apache-2.0
//
// Metrics of scored rows as JSON: what `training.json` and `metrics.json` say
// about one set of rows,
//
//   {"rows", "groups", "clicks", "ctr_auc", "ctr_auc_interval", "ctr_gauc",
//    "ctr_gauc_interval", "ctr_groups_kept", "ctr_rows_kept", "logloss",
//    "calibration", "calibration_error", "calibration_bins",
//    and with an order task "orders", "ctcvr_auc", ..., "ctcvr_logloss",
//    "ctcvr_calibration", ...}
//
// An interval is [low, high] of the bootstrap over groups; what does not exist
// is null. Replicates are the metrics in each draw:
//
//   {"ctr_auc": [...], "ctr_gauc": [...], and "ctcvr_auc", "ctcvr_gauc"}
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/ctr/bootstrap.h"
#include "common/ctr/metrics.h"
#include "common/dataset/impression_stream.h"

namespace larr::stage {

// What is true of the rows, in the order that they were scored in.
struct RowLabels {
  std::vector<uint8_t> click;
  std::vector<uint8_t> ctcvr;   // Click and order.
  std::vector<int32_t> groups;  // Numbered as they came.
  std::unordered_map<std::string, int32_t> group_numbers;
  std::vector<uint64_t> group_keys;  // By number: GroupKey of its name.

  void Add(const Impression& row);
  size_t size() const { return click.size(); }
};

struct ModelScores {
  std::vector<double> ctr;
  std::vector<double> ctcvr;  // Empty without an order task.

  // Appends probabilities [B, tasks].
  // Errors: kDataLoss  one is not finite
  absl::Status Add(const torch::Tensor& probabilities);
};

// Rows and what a model says of them. REQUIRES: as many of each.
struct JudgedRows {
  RowLabels labels;
  ModelScores scores;
};
// Those with `chosen[row]`; their groups keep their numbers.
JudgedRows ChooseRows(const RowLabels& labels, const ModelScores& scores,
                      const std::vector<bool>& chosen);

struct TaskMetrics {
  Metrics ctr;
  std::optional<Metrics> ctcvr;  // Nothing without an order task.
};
// REQUIRES: scores of as many rows as labels; draws of the labels' groups.
TaskMetrics ComputeTaskMetrics(const RowLabels& labels,
                               const ModelScores& scores,
                               const GroupDraws& draws);

nlohmann::ordered_json MetricsJson(const TaskMetrics& metrics);
nlohmann::ordered_json ReplicatesJson(const TaskMetrics& metrics);

// Without intervals and calibration: {"rows", "ctr_auc", "ctr_gauc", ...}.
// `has_orders`: of the model, whose slice may be empty.
nlohmann::ordered_json SliceJson(const RowLabels& labels,
                                 const ModelScores& scores, bool has_orders);
// With the CTR AUC alone.
nlohmann::ordered_json SliceReplicatesJson(const RowLabels& labels,
                                           const ModelScores& scores,
                                           const GroupDraws& draws);

}  // namespace larr::stage
