// SPDX-License-Identifier: Apache-2.0
//
// What a model is worth on the rows of one part, as metrics.json and
// replicates.json say it.
//
// Threads: pure functions.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/ctr/bootstrap.h"
#include "services/stage/ctr_metrics_json.h"

namespace larr::stage {

// Rows that are looked at apart.
struct PartSlice {
  std::string name;
  std::vector<bool> chosen;  // By row.
};

// The rows of a part, in the order that they were scored in.
struct PartRows {
  RowLabels labels;
  ModelScores truth;  // Empty where the dataset does not know it.
  std::vector<PartSlice> slices;
};

struct PartMetrics {
  // MetricsJson, and "slices": by name, SliceJson; `sample` has all metrics.
  nlohmann::ordered_json metrics;
  // "all": ReplicatesJson, and "slices": by name, SliceReplicatesJson; `sample`
  // has all replicates.
  nlohmann::ordered_json replicates;
};

// REQUIRES: scores of as many rows; draws of the rows' groups
PartMetrics ComputePartMetrics(const PartRows& rows, const ModelScores& scores,
                               const GroupDraws& draws);

}  // namespace larr::stage
