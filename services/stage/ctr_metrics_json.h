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
// is null.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/dataset/impression_stream.h"

namespace larr::stage {

// What is true of the rows, in the order that they were scored in.
struct RowLabels {
  std::vector<uint8_t> click;
  std::vector<uint8_t> ctcvr;   // Click and order.
  std::vector<int32_t> groups;  // Numbered as they came.
  std::unordered_map<std::string, int32_t> group_numbers;

  void Add(const Impression& row);
  size_t size() const { return click.size(); }
};

struct ModelScores {
  std::vector<double> ctr;
  std::vector<double> ctcvr;  // Empty without an order task.

  // Appends probabilities [B, tasks].
  void Add(const torch::Tensor& probabilities);
};

// REQUIRES: scores of as many rows as labels.
nlohmann::ordered_json MetricsJson(const RowLabels& labels,
                                   const ModelScores& scores,
                                   int bootstrap_samples, uint64_t seed);

// Of the rows with `chosen[row]` alone: {"rows", "ctr_auc", "ctr_gauc", ...},
// without intervals and calibration.
nlohmann::ordered_json SliceJson(const RowLabels& labels,
                                 const ModelScores& scores,
                                 const std::vector<bool>& chosen);

}  // namespace larr::stage
