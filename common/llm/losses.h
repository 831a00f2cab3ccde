// SPDX-License-Identifier: Apache-2.0
//
// The loss of stage 2 (paper section 3.2, eq. 12-20): InfoNCE with in-batch negatives. The paper prints the
// softmax ratio alone; the loss is -log of it, as everywhere else.
//
// Errors: c10::Error; callers use GuardTorch.
#pragma once

#include <torch/types.h>

namespace larr {

// (L_ab + L_ba) / 2 of eq. 12-20 with cosine similarity: row i of a and of b
// are a pair, every other row of the batch is a negative, except where
// excluded[i, j] (a_i with b_j) is true. a, b [n, d]; excluded bool [n, n],
// its diagonal is not read.
torch::Tensor SymmetricInfoNce(const torch::Tensor& a, const torch::Tensor& b,
                               const torch::Tensor& excluded,
                               double temperature);

// Share of rows, over both directions, whose own partner is nearest.
double PairAccuracy(const torch::Tensor& a, const torch::Tensor& b,
                    const torch::Tensor& excluded);

}  // namespace larr
