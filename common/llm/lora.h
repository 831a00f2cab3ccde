// SPDX-License-Identifier: Apache-2.0
//
// Low-rank adapters (LoRA, Hu et al. 2021): a linear layer computes
// x W^T + scale (x A^T) B^T, where W stays and A and B learn. B starts at zero,
// so that training starts at W.
//
// Matrices that are fused here (q, k, v; gate, up) have one A in common; each
// has its own rows of B.
//
// Errors: c10::Error; callers use GuardTorch.
#pragma once

#include <torch/types.h>

#include <cstdint>

namespace larr {

struct LoraOptions {
  int64_t rank = 0;  // 0: none
  double alpha = 0;  // scale is alpha / rank
  uint64_t seed = 0;
};

struct LoraAdapter {
  torch::Tensor a;  // [rank, in]
  torch::Tensor b;  // [out, rank]
  double scale = 1;
};

// Of one decoder layer, or of none: then all are undefined.
struct LayerAdapters {
  LoraAdapter qkv;
  LoraAdapter output;
  LoraAdapter gate_up;
  LoraAdapter down;
};

// For weight [out, in], of its dtype. A is uniform within 1 / sqrt(in).
LoraAdapter MakeLoraAdapter(const torch::Tensor& weight,
                            const LoraOptions& options,
                            at::Generator& generator);

// y + scale (x A^T) B^T: x [n, in], y [n, out]. y itself without an adapter.
torch::Tensor Adapt(const LoraAdapter& adapter, const torch::Tensor& x,
                    const torch::Tensor& y);

// weight += scale B A, summed in float32 and rounded once.
void MergeLora(const LoraAdapter& adapter, torch::Tensor& weight);

}  // namespace larr
