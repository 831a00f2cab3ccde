// SPDX-License-Identifier: Apache-2.0
//
// What a decoder layer does between its multiplications, for CPUs: each
// kernel goes over memory once, computes in float32 and is compiled for
// AVX-512, AVX2 and plain x86-64, chosen at start. No LibTorch here; callers
// divide rows or texts among threads.
//
// T is float or Bf16 (bfloat16 bits). All matrices are dense and row-major.
// Threads: pure functions of their arguments.
#pragma once

#include <cstdint>

#include "common/simd/bf16.h"

namespace larr::kernels {

// For each of `rows` rows of `width`: x += delta (where delta is not null),
// then out = x / sqrt(mean(x^2) + epsilon) * weight.
void AddRmsNorm(int64_t rows, int64_t width, float* x, const float* delta,
                const float* weight, float epsilon, float* out);
void AddRmsNorm(int64_t rows, int64_t width, float* x, const Bf16* delta,
                const float* weight, float epsilon, Bf16* out);

// Gradients of out = x / sqrt(mean(x^2) + epsilon) * weight: writes d_x, and
// adds this call's rows to d_weight [width].
void RmsNormBackward(int64_t rows, int64_t width, const float* x,
                     const float* weight, float epsilon, const float* d_out,
                     float* d_x, float* d_weight);
void RmsNormBackward(int64_t rows, int64_t width, const float* x,
                     const float* weight, float epsilon, const Bf16* d_out,
                     float* d_x, float* d_weight);

// out[r, i] = silu(gate_up[r, i]) * gate_up[r, width + i].
void SiluMul(int64_t rows, int64_t width, const float* gate_up, float* out);
void SiluMul(int64_t rows, int64_t width, const Bf16* gate_up, Bf16* out);

void SiluMulBackward(int64_t rows, int64_t width, const float* gate_up,
                     const float* d_out, float* d_gate_up);
void SiluMulBackward(int64_t rows, int64_t width, const Bf16* gate_up,
                     const Bf16* d_out, Bf16* d_gate_up);

// out[r] = log of the sum of e^logits[r, i].
void LogSumExp(int64_t rows, int64_t width, const float* logits, float* out);
void LogSumExp(int64_t rows, int64_t width, const Bf16* logits, float* out);

// logits[r, i] := weight * e^(logits[r, i] - norm[r]).
void SoftmaxInPlace(int64_t rows, int64_t width, const float* norm,
                    float weight, float* logits);
void SoftmaxInPlace(int64_t rows, int64_t width, const float* norm,
                    float weight, Bf16* logits);

// Columns [first, last) of `from` [rows, columns], transposed: rows
// [first, last) of `to` [columns, rows].
void Transpose(int64_t rows, int64_t columns, int64_t first, int64_t last,
               const Bf16* from, Bf16* to);

// One step of AdamW (Loshchilov and Hutter 2019), bias corrections included.
struct AdamWStep {
  float rate = 0;
  float decay = 0;  // decoupled weight decay
  float beta1 = 0, beta2 = 0, epsilon = 0;
  float correction1 = 1, correction2 = 1;  // 1 - beta^step
  float gradient_scale = 1;
};

// Moves n parameters and their moments; `rounded`, where not null, becomes the
// parameters in bfloat16.
void AdamW(int64_t n, const AdamWStep& step, const float* gradient,
           float* parameter, float* mean, float* variance, Bf16* rounded);
void AdamW(int64_t n, const AdamWStep& step, const Bf16* gradient,
           float* parameter, float* mean, float* variance, Bf16* rounded);

}  // namespace larr::kernels
