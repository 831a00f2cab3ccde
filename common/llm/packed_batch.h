// SPDX-License-Identifier: Apache-2.0
//
// Several texts in one matrix: T tokens of N texts, one after the other, no
// padding. Linear layers see [T, width], attention one text at a time.
//
// Texts lie in the order of their lengths, whatever order they came in;
// `begin` and `last` are in the caller's order.
//
// Threads: a value; const use is safe.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <span>
#include <vector>

#include "common/llm/tokenizer.h"

namespace larr {

struct PackedBatch {
  torch::Tensor ids;            // int64 [T]
  std::vector<int64_t> begin;   // [N] first row of text i
  std::vector<int64_t> length;  // [N] its tokens
  torch::Tensor last;           // int64 [N] its last row
  int64_t max_length = 0;

  int64_t tokens() const { return ids.size(0); }
};

// REQUIRES: no text is empty
PackedBatch Pack(std::span<const TokenIds> texts);

}  // namespace larr
