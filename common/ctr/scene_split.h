// SPDX-License-Identifier: Apache-2.0
//
// The scene encoder with readout AGG, in two parts. Agg's query is a constant,
// so a text brings to each head one score and one value, whatever stands beside
// it: `Pool` sums these over some texts, and `Finish` does the rest of the
// layer for the row of agg alone.
//
// Threads: safe. Errors: c10::Error.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "common/ctr/ctr_kernels.h"
#include "common/tensors/packed_linear.h"

namespace larr {

class SceneSplit {
 public:
  // `tensors`: those of a CtrModel with texts (model_io.h). `dtype`: what
  // Finish multiplies in, float32 or bfloat16.
  SceneSplit(const std::map<std::string, torch::Tensor>& tensors, int64_t heads,
             torch::ScalarType dtype);

  const kernels::PoolShape& shape() const { return shape_; }

  // Pools the texts of `slots` for each of `count` owners: vectors
  // [count, slots], null where a default stands in. `with_agg` adds agg's own
  // token. Part i is written to parts + i * pitch bytes.
  void Pool(std::span<const int64_t> slots,
            std::span<const float* const> vectors, int64_t count, bool with_agg,
            std::byte* parts, size_t pitch) const;

  // Agg's merged attention [M, C] to e_s [M, E], both of `dtype`.
  torch::Tensor Finish(const torch::Tensor& attention) const;

 private:
  struct Norm {
    torch::Tensor weight, bias;
  };
  torch::Tensor AddNorm(const torch::Tensor& x, const torch::Tensor& residual,
                        const Norm& norm) const;

  int64_t width_;  // C
  kernels::PoolShape shape_;
  std::vector<float> scale_, offset_, missing_, agg_;  // [r], [r, C] twice, [C]
  PackedLinear scores_and_values_;                     // float32
  PackedLinear out_, ffn1_, ffn2_, mlp1_, mlp2_;
  Norm norm1_, norm2_;
};

}  // namespace larr
