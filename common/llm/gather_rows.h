// SPDX-License-Identifier: Apache-2.0
//
// Vectors of all ranks, with gradients: how in-batch negatives come from every
// rank's batch (paper 3.2).
//
// Each rank's loss must be its *share* of the whole: the terms of its own rows,
// divided by the number of all rows. The sum of the ranks' losses is then the
// one-process loss, and the sum of their gradients, which the optimizer forms,
// is its gradient. A rank that computed the whole loss would count everything
// once for each rank.
//
// Errors: c10::Error; callers use GuardTorch.
#pragma once

#include <torch/types.h>

#include "common/llm/process_group.h"

namespace larr {

// rows [n, d] float32, the same n on every rank; [size * n, d], rank 0's first.
// Backward: the sum over ranks of the gradients of this rank's rows.
// REQUIRES: the group outlives the graph
torch::Tensor GatherRows(const torch::Tensor& rows, ProcessGroup& group);

}  // namespace larr
