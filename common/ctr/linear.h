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

// A weight [out, in] and bias [out], trainable: uniform in +-1/sqrt(in), as of
// torch.nn.Linear, which makes outputs smaller than inputs; the weight times
// `gain`. kKeepsScale is He's, which keeps their size through a ReLU.
struct LinearParameters {
  torch::Tensor weight, bias;
};
inline constexpr double kKeepsScale = 2.449489742783178;  // sqrt(6)
LinearParameters MakeLinear(int64_t in, int64_t out, double gain = 1);

}  // namespace larr
