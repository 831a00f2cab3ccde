// SPDX-License-Identifier: Apache-2.0
//
// The lowest layers of a decoder when nothing of them learns: the fast path of
// embedding, and of training below the layers that train. Weights are packed
// once (packed_linear.h), and what lies between the multiplications is fused
// (layer_ops.h). Equal to the plain layers of decoder.h up to rounding.
//
// Ownership:  keeps its own packed copy of the weights.
// Threads:    Run may be called concurrently; it uses LibTorch's threads.
// Needs:      a CPU.
#pragma once

#include <torch/types.h>

#include <vector>

#include "common/llm/llm_config.h"
#include "common/llm/packed_batch.h"
#include "common/llm/rotary.h"
#include "common/llm/weights.h"
#include "common/tensors/packed_linear.h"

namespace larr {

class FrozenLayers {
 public:
  // Layers [0, count). `tokens` is the usual size of a batch.
  // Each layer is let go of as soon as it is packed, so that weights which
  // nobody else holds are not in memory twice.
  FrozenLayers(const LlmConfig& config, std::vector<LayerWeights> layers,
               int64_t tokens);

  int64_t count() const { return static_cast<int64_t>(layers_.size()); }

  // x float32 [T, h], the stream of residuals, is changed in place. With
  // `last_only` the last layer computes batch.last's rows alone, and the
  // others hold nothing of use.
  void Run(const PackedBatch& batch, torch::Tensor& x,
           bool last_only = false) const;

 private:
  struct Layer {
    torch::Tensor input_norm;  // float32
    PackedLinear qkv;
    PackedLinear output;
    torch::Tensor post_norm;  // float32
    PackedLinear gate_up;
    PackedLinear down;
  };
  torch::Tensor AddNorm(torch::Tensor& x, const torch::Tensor& delta,
                        const torch::Tensor& weight) const;

  LlmConfig config_;
  torch::ScalarType dtype_ = torch::kFloat32;
  RotaryTable rotary_;
  std::vector<Layer> layers_;
};

}  // namespace larr
