// SPDX-License-Identifier: Apache-2.0
//
// Attention of agg's query, by head, over tokens that many rows of a batch
// share, with its gradient: softmax and weighted sum in one pass over memory
// each way, on the CPU.
#pragma once

#include <torch/types.h>

#include <cstdint>

#include "common/ctr/linear.h"

namespace larr {

// `table`, float32 [N, H + C]: of each token its score for each of H heads,
// then its values, C / H of each head. index: int64 [B, n], rows of the table.
// Returns [B, C]. Its gradient does not depend on the number of threads.
torch::Tensor AttendFromAgg(const torch::Tensor& table,
                            const torch::Tensor& index, int64_t heads);

// The layer [H + C, C] that makes a token's row of such a table: agg's query is
// a constant, and taken through W_k once, so that a score is one dot product.
// `in_weight` [3C, C] and `in_bias` [3C] are those of q, k and v; agg is [C].
LinearParameters ScoresAndValues(const torch::Tensor& in_weight,
                                 const torch::Tensor& in_bias,
                                 const torch::Tensor& agg, int64_t heads);

}  // namespace larr
