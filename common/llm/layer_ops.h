// SPDX-License-Identifier: Apache-2.0
//
// What a decoder layer, the head's loss and the optimizer do between
// multiplications, on tensors: the kernels of kernels.h over LibTorch's
// threads, with gradients where an input needs them. CPU, float32 or bfloat16,
// contiguous.
//
// Threads: functions of their arguments. Results do not depend on the number
//          of threads, but for the last bits of multiplications.
// Errors:  c10::Error; callers use GuardTorch.
#pragma once

#include <torch/types.h>

#include <cstdint>

#include "common/llm/llm_config.h"
#include "common/llm/packed_batch.h"
#include "common/llm/rotary.h"

namespace larr::ops {

// Rows `ids` (int64 [T]) of a table [V, h], in float32 [T, h]; on any device.
// Their gradients are summed in float32 and rounded once: a token that comes
// thousands of times would outgrow what a bfloat16 sum can still add to.
torch::Tensor Lookup(const torch::Tensor& table, const torch::Tensor& ids);

// x += delta where delta is defined, then RmsNorm(x). x float32 [T, h], delta
// [T, h] and the result of `dtype`, weight float32 [h]. No gradients.
torch::Tensor AddRmsNorm(torch::Tensor& x, const torch::Tensor& delta,
                         const torch::Tensor& weight, double epsilon,
                         torch::ScalarType dtype);

// x W^T + bias: x [T, in], weight [out, in], bias [out] or undefined. Its
// gradients are at::linear's; the weight's is a TransposedProduct.
torch::Tensor Linear(const torch::Tensor& x, const torch::Tensor& weight,
                     const torch::Tensor& bias);

// a^T b: a [m, n], b [m, k] to [n, k]. Without gradients, on any device. oneDNN
// is a few percent slower on a transposed bfloat16 matrix than on a plain one,
// so the smaller side is transposed first.
torch::Tensor TransposedProduct(const torch::Tensor& a, const torch::Tensor& b);

// x / sqrt(mean(x^2) + epsilon) * weight: float32 [T, h] to [T, h] of the
// weight's dtype.
torch::Tensor RmsNorm(const torch::Tensor& x, const torch::Tensor& weight,
                      double epsilon);

// silu(gate) * up: [T, 2I] to [T, I].
torch::Tensor SiluMul(const torch::Tensor& gate_up);

// Causal attention of each text of the batch, positions turned in:
// qkv [T, (H + 2K) D] to [T, H D]. With `last_only` only the rows batch.last
// are computed, without gradients.
torch::Tensor Attention(const torch::Tensor& qkv, const PackedBatch& batch,
                        const LlmConfig& config, const RotaryTable& rotary,
                        bool last_only = false);

// One step of AdamW (Loshchilov and Hutter 2019); `step` counts from 1.
struct AdamWOptions {
  double rate = 0;
  double decay = 0;
  double beta1 = 0, beta2 = 0, epsilon = 0;
  int64_t step = 1;
  double gradient_scale = 1;
};
// Moves master and its moments, float32, by a gradient of any dtype; all
// contiguous and of one size. `rounded`, where it is defined and not the master
// itself, becomes the master's rounding.
void AdamW(const AdamWOptions& options, const torch::Tensor& gradient,
           const torch::Tensor& master, const torch::Tensor& mean,
           const torch::Tensor& variance, const torch::Tensor& rounded);

// The head's softmax, a row at a time. Without gradients, on any device.
// log of the sum of e^logits: [n, V] to float32 [n].
torch::Tensor LogSumExp(const torch::Tensor& logits);
// logits [n, V] := weight * e^(logits - norm[n]).
void SoftmaxInPlace(const torch::Tensor& logits, const torch::Tensor& norm,
                    double weight);

}  // namespace larr::ops
