// SPDX-License-Identifier: Apache-2.0
//
// The loss of stage 1 (paper section 3.1, eq. 7): the sum of -log p over the
// tokens of y, given x and what of y came before. The paper averages the sums
// over descriptions; here the sum is divided by the number of target tokens of
// the whole step. Within a step the two differ by a constant factor, the mean
// length of y; ours is the same from step to step and is what perplexity is
// made from.
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

// `weight` times the sum over n of -log p(targets[i]); a float32 scalar.
// hidden [n, h]. Logits are in the dtype of the head and are held for a part
// of the rows; each part's gradients are computed with it.
torch::Tensor NextTokenLoss(const torch::Tensor& hidden,
                            const VocabularyTable& head,
                            const torch::Tensor& targets, double weight = 1);

}  // namespace larr
