// SPDX-License-Identifier: Apache-2.0
//
// The losses of stages 1 and 2 (paper sections 3.1 and 3.2).
//
// Stage 1, eq. 7: the sum of -log p over the tokens of y, given x and what of
// y came before. The paper averages the sums over descriptions; here the sum
// is divided by the number of target tokens of the whole step. Within a step
// the two differ by a constant factor, the mean length of y; ours is the same
// from step to step and is what perplexity is made from.
//
// Stage 2, eq. 12-20: InfoNCE with in-batch negatives. The paper prints the
// softmax ratio alone; the loss is -log of it, as everywhere else.
//
// Errors: c10::Error; callers use GuardTorch.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <span>

#include "common/llm/decoder.h"
#include "common/llm/packed_batch.h"
#include "common/llm/tokenizer.h"

namespace larr {

// A text of stage 1: the first `given` tokens are x, the others y.
struct Description {
  TokenIds ids;
  int64_t given = 0;  // at least 1: the first token has nothing before it
};

// Descriptions, packed, and what is to be predicted from which rows.
struct LanguageBatch {
  PackedBatch batch;
  torch::Tensor rows;     // int64 [n] rows of the packed matrix
  torch::Tensor targets;  // int64 [n] the token that follows each
};

// REQUIRES: no description is empty
LanguageBatch MakeLanguageBatch(std::span<const Description> descriptions);

// Sum over n of -log p(targets[i]); a float32 scalar. hidden [n, h]. The
// vocabulary is never held for more than a few rows: each piece's gradient is
// computed with it.
torch::Tensor NextTokenLoss(const torch::Tensor& hidden,
                            const VocabularyTable& head,
                            const torch::Tensor& targets);

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
