// SPDX-License-Identifier: Apache-2.0
#include "common/llm/frozen_layers.h"

#include <torch/utils.h>

#include "common/llm/layer_ops.h"

namespace larr {

using torch::Tensor;

FrozenLayers::FrozenLayers(const LlmConfig& config,
                           std::vector<LayerWeights> layers, int64_t tokens)
    : config_(config),
      rotary_(MakeRotaryTable(config.max_positions, config.head_dim,
                              config.rope_theta, config.rope_scaling)) {
  const torch::NoGradGuard no_grad;
  if (!layers.empty()) dtype_ = layers.front().qkv.scalar_type();
  for (LayerWeights& layer : layers) {
    layers_.push_back({layer.input_norm.detach().to(torch::kFloat32),
                       PackedLinear(layer.qkv, layer.qkv_bias, tokens),
                       PackedLinear(layer.output, layer.output_bias, tokens),
                       layer.post_norm.detach().to(torch::kFloat32),
                       PackedLinear(layer.gate_up, {}, tokens),
                       PackedLinear(layer.down, {}, tokens)});
    layer = {};
  }
}

Tensor FrozenLayers::AddNorm(Tensor& x, const Tensor& delta,
                             const Tensor& weight) const {
  return ops::AddRmsNorm(x, delta, weight, config_.norm_epsilon, dtype_);
}

void FrozenLayers::Run(const PackedBatch& batch, Tensor& x,
                       bool last_only) const {
  TORCH_CHECK(batch.max_length <= rotary_.cosine.size(0), "a text of ",
              batch.max_length, " tokens is longer than the model's ",
              rotary_.cosine.size(0), " positions");
  const torch::NoGradGuard no_grad;
  Tensor delta;  // what the layer before adds to x
  for (size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    const bool last = last_only && i + 1 == layers_.size();
    const Tensor qkv = layer.qkv(AddNorm(x, delta, layer.input_norm));
    Tensor mixed = ops::Attention(qkv, batch, config_, rotary_, last);
    if (!last) {
      delta = layer.output(mixed);
      const Tensor normed = AddNorm(x, delta, layer.post_norm);
      delta = layer.down(ops::SiluMul(layer.gate_up(normed)));
      continue;
    }
    Tensor rows = x.index_select(0, batch.last);
    mixed = layer.output(mixed.index_select(0, batch.last));
    const Tensor normed = AddNorm(rows, mixed, layer.post_norm);
    rows.add_(layer.down(ops::SiluMul(layer.gate_up(normed))));
    x.index_copy_(0, batch.last, rows);
    delta = Tensor();
  }
  if (delta.defined()) x.add_(delta);
}

}  // namespace larr
