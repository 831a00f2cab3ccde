// SPDX-License-Identifier: Apache-2.0
//
// What the fast scorer and PLE do between their multiplications, for CPUs: each
// kernel goes over memory once and computes in float32. No LibTorch here.
//
// T is float or Bf16. All matrices are dense and row-major unless a pitch, the
// elements from one row to the next, is given.
// Threads: pure functions of their arguments.
#pragma once

#include <cstdint>

#include "common/simd/bf16.h"

namespace larr::kernels {

// Attention of one query over some tokens, by head, in a form that can be
// merged with that over other tokens (log-sum-exp):
//   [max of scores a: H | sum of e^(a - max): H | sum of e^(a - max) v: H * D]
struct PoolShape {
  int64_t heads = 0;  // H
  int64_t width = 0;  // D, of a head

  int64_t size() const { return heads * (2 + width); }
};

// Pools `tokens` rows [scores: H | values: H * D] into `part`.
// REQUIRES: tokens > 0
void PoolTokens(const PoolShape& shape, int64_t tokens, const float* rows,
                float* part);

// out [rows, H * D] = attention over the tokens of `shared` and of own[row].
// A null `own` or own[row] has no tokens.
void MergePools(const PoolShape& shape, int64_t rows, const float* shared,
                const float* const* own, float* out);
void MergePools(const PoolShape& shape, int64_t rows, const float* shared,
                const float* const* own, Bf16* out);

// out = LayerNorm(in + residual) * weight + bias; a null residual is zero.
void AddLayerNorm(int64_t rows, int64_t width, const float* in,
                  const float* residual, const float* weight, const float* bias,
                  float epsilon, float* out);
void AddLayerNorm(int64_t rows, int64_t width, const Bf16* in,
                  const Bf16* residual, const float* weight, const float* bias,
                  float epsilon, Bf16* out);

// One softmax gate of a PLE level: which experts it mixes.
struct Gate {
  const int64_t* expert_columns = nullptr;  // where each begins in a row
  int64_t experts = 0;
  int64_t first_logit = 0;  // its column in a row; one for each expert
};

// A PLE level's mixtures: for each gate g and row r
//   out[g][r] = sum over its experts e of softmax(logits of g)_e ReLU(x_e)
// A row holds experts of W columns and logits, wherever the gates say. It is
// the parts[p][r], one behind the other, plus `shared` (of all rows) and
// own[r], where they are not null. A null part is zero.
struct MixShape {
  int64_t width = 0;  // W
  const Gate* gates = nullptr;
  int64_t gate_count = 0;
  const int64_t* part_columns = nullptr;
  int64_t part_count = 0;
};
// `scratch` holds a row.
void MixExperts(const MixShape& shape, int64_t rows, const float* const* parts,
                const float* shared, const float* const* own, float* scratch,
                float* const* out);
void MixExperts(const MixShape& shape, int64_t rows, const Bf16* const* parts,
                const float* shared, const Bf16* const* own, float* scratch,
                Bf16* const* out);

// The gradient of MixExperts of `parts` alone. grads[g] [rows, W]: of out[g];
// grad_parts[p] [rows, part_columns[p]]: of parts[p]. `scratch` holds two rows.
void MixExpertsBackward(const MixShape& shape, int64_t rows,
                        const float* const* parts, const float* const* grads,
                        float* scratch, float* const* grad_parts);

// out[r] = sigmoid(in[r] . weight + bias): [rows, width] to [rows].
void DotSigmoid(int64_t rows, int64_t width, const float* in,
                const float* weight, float bias, float* out);
void DotSigmoid(int64_t rows, int64_t width, const Bf16* in,
                const float* weight, float bias, float* out);

// torch.optim.SparseAdam's step on n numbers: `size` is the learning rate with
// the corrections of both moments; epsilon is not corrected.
struct AdamStep {
  float beta1 = 0, beta2 = 0, epsilon = 0, size = 0;
};
void Adam(const AdamStep& step, int64_t n, const float* gradient, float* first,
          float* second, float* weight);

// Adds the rows of `from` [n, width] to those of `sums` that `places` names, if
// they are in [begin, end).
void AddRows(int64_t n, int64_t width, const int64_t* places, int64_t begin,
             int64_t end, const float* from, float* sums);

// Attention of one query by head over tokens that many rows share. A token's
// row of `table` is [scores: H | values: H * D], as of PoolTokens.
// out [rows, H * D] of index [rows, tokens]; `scratch` holds `tokens`.
void AttendTokens(const PoolShape& shape, int64_t rows, int64_t tokens,
                  const int64_t* index, const float* table, float* scratch,
                  float* out);
// Adds the gradient of one head to grad_table, from that of `out`. `scratch`
// holds twice `tokens`.
void AttendTokensBackward(const PoolShape& shape, int64_t head, int64_t rows,
                          int64_t tokens, const int64_t* index,
                          const float* table, const float* grad, float* scratch,
                          float* grad_table);

// Rounds to bfloat16.
void Round(int64_t n, const float* from, Bf16* to);

}  // namespace larr::kernels
