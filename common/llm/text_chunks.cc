// SPDX-License-Identifier: Apache-2.0
#include "common/llm/text_chunks.h"

#include <torch/utils.h>

#include <vector>

#include "common/llm/packed_batch.h"

namespace larr {
namespace {

using torch::Tensor;
using Texts = std::span<const TokenIds>;

std::vector<Texts> Chunks(Texts texts, int64_t tokens_per_chunk) {
  std::vector<Texts> chunks;
  size_t from = 0;
  int64_t tokens = 0;
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto length = static_cast<int64_t>(texts[i].size());
    if (i > from && tokens + length > tokens_per_chunk) {
      chunks.push_back(texts.subspan(from, i - from));
      from = i;
      tokens = 0;
    }
    tokens += length;
  }
  chunks.push_back(texts.subspan(from));
  return chunks;
}

Tensor EncodeAll(const std::vector<Texts>& chunks, const EncodeTexts& encode) {
  const torch::NoGradGuard no_grad;
  std::vector<Tensor> vectors;
  for (const Texts chunk : chunks) vectors.push_back(encode(chunk));
  return torch::cat(vectors);
}

}  // namespace

Tensor LastStates(Texts texts, const Decoder& decoder, Pooling pooling) {
  const PackedBatch batch = Pack(texts);
  return Pool(decoder.Hidden(batch), batch, pooling);
}

Tensor EncodeInChunks(Texts texts, int64_t tokens_per_chunk,
                      const EncodeTexts& encode) {
  return EncodeAll(Chunks(texts, tokens_per_chunk), encode);
}

void BackwardInChunks(Texts texts, int64_t tokens_per_chunk,
                      const EncodeTexts& encode,
                      const std::function<Tensor(const Tensor&)>& loss,
                      const std::function<void()>& after_backward) {
  const auto chunks = Chunks(texts, tokens_per_chunk);
  if (chunks.size() == 1) {
    loss(encode(texts)).backward();
    after_backward();
    return;
  }
  Tensor vectors = EncodeAll(chunks, encode).requires_grad_(true);
  loss(vectors).backward();
  int64_t from = 0;
  for (const Texts chunk : chunks) {
    const auto count = static_cast<int64_t>(chunk.size());
    encode(chunk).backward(vectors.grad().narrow(0, from, count));
    after_backward();
    from += count;
  }
}

}  // namespace larr
