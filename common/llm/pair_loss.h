// SPDX-License-Identifier: Apache-2.0
//
// The loss of stage 2 (paper section 3.2, eq. 12-20): InfoNCE with in-batch
// negatives. The paper prints the softmax ratio alone; the loss is -log of it,
// as everywhere else.
//
// Errors: c10::Error; callers use GuardTorch.
#pragma once

#include <torch/types.h>

#include <cstdint>

namespace larr {

// What a batch of n pairs amounts to.
struct PairLoss {
  torch::Tensor loss;  // float32 scalar: (L_ab + L_ba) / 2
  // int64 [2, n]: how many texts b are at least as near to a_i as its partner
  // is, and how many texts a to b_i. 0: the partner is nearest.
  torch::Tensor ranks;
};

// Eq. 12-20 with cosine similarity: row i of a and of b are a pair, every other
// row of the batch is a negative, except where excluded[i, j] (a_i with b_j) is
// true. a, b [n, d]; excluded bool [n, n], its diagonal is not read.
//
// Of the similarities a few rows are held at a time; [n, n] is the mask alone.
PairLoss SymmetricInfoNce(const torch::Tensor& a, const torch::Tensor& b,
                          const torch::Tensor& excluded, double temperature);

// recall@k: the share of PairLoss::ranks below k, over both directions.
double Recall(const torch::Tensor& ranks, int64_t k);

}  // namespace larr
