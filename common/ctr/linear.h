// SPDX-License-Identifier: Apache-2.0
//
// y = x W^T + b, optionally through ReLU. On the CPU forward and backward run
// in oneDNN's fp32 kernels: LibTorch's own fp32 path leaves more than half of
// an AMD core unused (docs/model.md, "Arithmetic").
//
// Shapes: x [M, K], weight [N, K], bias [N] -> [M, N], all float32.
#pragma once

#include <torch/types.h>

namespace larr {

torch::Tensor Linear(const torch::Tensor& x, const torch::Tensor& weight,
                     const torch::Tensor& bias);
torch::Tensor LinearRelu(const torch::Tensor& x, const torch::Tensor& weight,
                         const torch::Tensor& bias);

// A weight [out, in] and bias [out] drawn as by torch.nn.Linear: uniform in
// +-1/sqrt(in), trainable.
struct LinearParameters {
  torch::Tensor weight, bias;
};
LinearParameters MakeLinear(int64_t in, int64_t out);

}  // namespace larr
