// SPDX-License-Identifier: Apache-2.0
//
// A linear layer whose weight never changes: on CPUs the weight is laid out
// once the way oneDNN multiplies it, which is 1.1 (bfloat16) to 2 (float32)
// times as fast as at::linear. No gradients.
//
// Ownership:  keeps its own copy of the weight (on CPUs; else shares it).
// Threads:    operator() may be called concurrently.
#pragma once

#include <torch/types.h>

#include <cstdint>

namespace larr {

class PackedLinear {
 public:
  // weight [out, in], float32 or bfloat16; bias [out] or undefined. `rows` is
  // the usual number of rows of an input: a hint, any number works.
  PackedLinear(const torch::Tensor& weight, const torch::Tensor& bias,
               int64_t rows);

  // x [n, in] -> [n, out], of the weight's dtype.
  torch::Tensor operator()(const torch::Tensor& x) const;
  // The same with negative numbers set to zero.
  torch::Tensor Relu(const torch::Tensor& x) const;

 private:
  torch::Tensor Apply(const torch::Tensor& x, bool relu) const;

  torch::Tensor weight_;
  torch::Tensor bias_;
  bool packed_ = false;
};

}  // namespace larr
