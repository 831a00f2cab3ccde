// SPDX-License-Identifier: Apache-2.0
//
// Several texts in one matrix: T tokens of N texts, one after the other, no
// padding. Linear layers see [T, width]; attention runs within groups of texts
// of about equal length, in which a text sees only itself: short ones are
// filled up at their end, where a causal mask hides the filling.
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

// `texts` texts of at most `length` tokens each, next to each other in the
// matrix from row `begin` on.
struct AttentionGroup {
  int64_t begin = 0;   // first row
  int64_t tokens = 0;  // rows
  int64_t texts = 0;
  int64_t length = 0;
  // Undefined if every text has `length` tokens. Else, for each cell of
  // [texts, length], its row counted from `begin` (fillings repeat the last)
  // ...
  torch::Tensor cell_to_row;  // int64 [texts * length]
  // ... and for each row its cell.
  torch::Tensor row_to_cell;  // int64 [tokens]
};

struct PackedBatch {
  torch::Tensor ids;            // int64 [T]
  torch::Tensor positions;      // int64 [T], from 0 in each text
  std::vector<int64_t> begin;   // [N] first row of text i
  std::vector<int64_t> length;  // [N] its tokens
  torch::Tensor last;           // int64 [N] its last row
  std::vector<AttentionGroup> groups;
  int64_t max_length = 0;

  int64_t tokens() const { return ids.size(0); }
};

// REQUIRES: no text is empty
PackedBatch Pack(std::span<const TokenIds> texts);

}  // namespace larr
