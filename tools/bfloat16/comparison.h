// SPDX-License-Identifier: Apache-2.0
//
// What a model's scores lose when it is served in bfloat16: the same rows
// scored by the plain forward pass, which is the specification, and by the
// split scorer in float32 and in bfloat16.
//
// Memory:  scores and labels of all rows, 50 bytes a row; one batch of rows.
// Threads: one at a time; computes with LibTorch's.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "common/dataset/dataset_spec.h"
#include "common/dataset/split.h"
#include "common/store/snapshot.h"

namespace larr::bfloat16 {

// One way to score the rows. Differences are from the plain scores, absolute,
// over CTR and CTCVR.
struct WayFigures {
  double ctr_auc = 0;
  double ctcvr_auc = 0;  // NaN without an order task.
  double largest_difference = 0;
  double mean_difference = 0;
  size_t poi_state_bytes = 0;  // 0: plain.
};

struct Comparison {
  std::string part;
  int64_t rows = 0;
  bool has_order_task = false;
  WayFigures plain, float32, bfloat16;
};

// Told of rows that were scored; of -1 in all where that is not known.
using RowsProgress = std::function<void(int64_t done, int64_t total)>;

// Scores the first `rows` rows of a part, all if it is 0, in the order of the
// files. `snapshot` is null for a model without texts.
//
// Errors: those of LoadCtrModel, CtrBatcher and ImpressionStream, and
//         kFailedPrecondition  the part has too few rows to judge by: no AUC
// REQUIRES: CanSplit
absl::StatusOr<Comparison> CompareWays(const std::filesystem::path& model,
                                       const Dataset& dataset,
                                       const Snapshot* snapshot, Part part,
                                       int64_t rows,
                                       const RowsProgress& progress);

// Whether bfloat16 loses no more than `most_loss` of either AUC.
// Errors: kFailedPrecondition  it does; the message says both values
absl::Status CheckLoss(const Comparison& comparison, double most_loss);

// The figures for people: a table of the three ways.
std::string ComparisonTable(const Comparison& comparison);

// {"part", "rows", "ctr_auc": {"plain", "float32", "bfloat16", "change"},
//  "ctcvr_auc" (with an order task), "difference": {"float32": {"largest",
//  "mean"}, "bfloat16"}, "poi_state_bytes": {"float32", "bfloat16"}}
// `change` is bfloat16 less plain.
nlohmann::ordered_json ComparisonJson(const Comparison& comparison);

}  // namespace larr::bfloat16
