// SPDX-License-Identifier: Apache-2.0
//
// Causal attention of one text and one key/value head, forward and backward,
// as kernels.h has what lies around it.
//
// Threads: pure functions of their arguments.
#pragma once

#include <cstdint>

#include "common/llm/kernels.h"

namespace larr::kernels {

// Of the attention kernels, which hold a head's row on the stack.
inline constexpr int64_t kMaxHeadDim = 256;

struct AttentionShape {
  int64_t heads = 0;     // H
  int64_t kv_heads = 0;  // K
  int64_t head_dim = 0;  // D, even, at most kMaxHeadDim
};

// Floats of scratch that Attention needs for texts of at most `length` tokens.
int64_t AttentionScratch(const AttentionShape& shape, int64_t length);

// Causal attention of one text with rotary positions from 0, for one key/value
// head and the H / K query heads that share it.
//   qkv      [length, (H + 2K) D]  queries, keys, values
//   cosine, sine [length, D / 2]
//   out      [length, H D]; only the columns of these query heads are written,
//            and only the rows from `first_row` on
void Attention(const AttentionShape& shape, int64_t kv_head, int64_t length,
               int64_t first_row, const float* qkv, const float* cosine,
               const float* sine, float* scratch, float* out);
void Attention(const AttentionShape& shape, int64_t kv_head, int64_t length,
               int64_t first_row, const Bf16* qkv, const float* cosine,
               const float* sine, float* scratch, Bf16* out);

// Floats of scratch that AttentionBackward needs.
int64_t AttentionBackwardScratch(const AttentionShape& shape, int64_t length);

// From d_out [length, H D], the columns of this key/value head and its query
// heads of d_qkv [length, (H + 2K) D]. Nothing but qkv is kept from the
// forward pass: the softmax is computed again.
void AttentionBackward(const AttentionShape& shape, int64_t kv_head,
                       int64_t length, const float* qkv, const float* cosine,
                       const float* sine, const float* d_out, float* scratch,
                       float* d_qkv);
void AttentionBackward(const AttentionShape& shape, int64_t kv_head,
                       int64_t length, const Bf16* qkv, const float* cosine,
                       const float* sine, const Bf16* d_out, float* scratch,
                       Bf16* d_qkv);

}  // namespace larr::kernels
