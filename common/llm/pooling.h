// SPDX-License-Identifier: Apache-2.0
//
// Tokens' states to one state for each text: the last token's, which is the end
// token of its slot (eq. 10), or the mean of all
// (docs/decisions/text-vectors.md).
//
// Threads: a pure function. Errors: c10::Error; callers use GuardTorch.
#pragma once

#include <torch/types.h>

#include "common/llm/packed_batch.h"

namespace larr {

enum class Pooling { kLastToken, kMean };

// What a `ContrastConfig` or an `EmbedderConfig` asks for.
template <typename Config>
Pooling PoolingOf(const Config& config) {
  return config.mean_pooling() ? Pooling::kMean : Pooling::kLastToken;
}

// rows [T, w] of the batch's tokens to float32 [N, w], in the caller's order of
// texts. A text's mean depends on its own rows alone, bit by bit.
torch::Tensor Pool(const torch::Tensor& rows, const PackedBatch& batch,
                   Pooling pooling);

}  // namespace larr
