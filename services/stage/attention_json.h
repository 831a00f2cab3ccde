// SPDX-License-Identifier: Apache-2.0
//
// What a scene encoder looks at, as JSON: mean weights over rows,
//
//   {"features": [..., "agg"], "all": [weight, ...],
//    "slices": {name: [weight, ...]}}   of slices that have rows
//
// Threads: pure function.
#pragma once

#include <torch/types.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "services/stage/part_metrics.h"

namespace larr::stage {

// `weights_NR`: RowScores::Attention of the rows, of `features` and of agg.
// REQUIRES: N > 0; as many rows in each slice
nlohmann::ordered_json AttentionJson(std::vector<std::string> features,
                                     const torch::Tensor& weights_NR,
                                     const std::vector<PartSlice>& slices);

}  // namespace larr::stage
