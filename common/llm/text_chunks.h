// SPDX-License-Identifier: Apache-2.0
//
// A loss over the vectors of more texts than a model can hold gradients for
// (Gao et al. 2021, "Scaling Deep Contrastive Learning Batch Size under Memory
// Limited Setup"). All texts are encoded in chunks, without gradients; the loss
// and its gradient are computed once, of all vectors together; then each chunk
// is encoded again and its part of that gradient goes back through the model.
// So texts are encoded twice, and memory is that of one chunk and of the loss.
//
// What is computed is the loss over all texts, not a mean over chunks. The same
// chunks are encoded both times: the vectors of both passes have equal bits.
//
// Errors: c10::Error; callers use GuardTorch.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <span>

#include "common/llm/decoder.h"
#include "common/llm/pooling.h"
#include "common/llm/tokenizer.h"

namespace larr {

// Texts to their vectors, [texts, d]; a function of the texts alone.
using EncodeTexts = std::function<torch::Tensor(std::span<const TokenIds>)>;

// The last layer's states of texts, float32 [texts, h] (eq. 10, 22).
// REQUIRES: no text is empty
torch::Tensor LastStates(std::span<const TokenIds> texts,
                         const Decoder& decoder, Pooling pooling);

// Vectors of all texts, without gradients. A chunk has at most
// `tokens_per_chunk` tokens, or one text.
torch::Tensor EncodeInChunks(std::span<const TokenIds> texts,
                             int64_t tokens_per_chunk,
                             const EncodeTexts& encode);

// Adds the gradients of `loss`, a scalar of the vectors [texts, d], which is
// called once. `after_backward` is told of each pass back through the model:
// one where all texts are one chunk, which is then encoded once; else one for
// each chunk.
void BackwardInChunks(
    std::span<const TokenIds> texts, int64_t tokens_per_chunk,
    const EncodeTexts& encode,
    const std::function<torch::Tensor(const torch::Tensor& vectors)>& loss,
    const std::function<void()>& after_backward);

}  // namespace larr
