// SPDX-License-Identifier: Apache-2.0
#include "common/llm/frozen_layers.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <numeric>

#include "common/llm/kernels.h"

namespace larr {
namespace {

using kernels::Bf16;
using torch::Tensor;

// Calls body(T{}) with the kernels' type of `dtype`.
template <typename Body>
void WithType(torch::ScalarType dtype, const Body& body) {
  if (dtype == torch::kBFloat16) return body(Bf16{});
  TORCH_CHECK(dtype == torch::kFloat32, "weights must be float32 or bfloat16");
  body(float{});
}

template <typename T>
T* Data(const Tensor& tensor) {
  return static_cast<T*>(tensor.data_ptr());
}

constexpr int64_t kRowsOfTask = 64;

}  // namespace

FrozenLayers::FrozenLayers(const LlmConfig& config,
                           std::vector<LayerWeights> layers, int64_t tokens)
    : config_(config),
      rotary_(MakeRotaryTable(config.max_positions, config.head_dim,
                              config.rope_theta)) {
  const torch::NoGradGuard no_grad;
  if (!layers.empty()) dtype_ = layers.front().qkv.scalar_type();
  for (LayerWeights& layer : layers) {
    layers_.push_back({layer.input_norm.detach().to(torch::kFloat32),
                       PackedLinear(layer.qkv, {}, tokens),
                       PackedLinear(layer.output, {}, tokens),
                       layer.post_norm.detach().to(torch::kFloat32),
                       PackedLinear(layer.gate_up, {}, tokens),
                       PackedLinear(layer.down, {}, tokens)});
    layer = {};
  }
}

Tensor FrozenLayers::AddNorm(Tensor& x, const Tensor& delta,
                             const Tensor& weight) const {
  const int64_t width = x.size(1);
  Tensor out = torch::empty(x.sizes(), dtype_);
  const auto epsilon = static_cast<float>(config_.norm_epsilon);
  WithType(dtype_, [&](auto type) {
    using T = decltype(type);
    at::parallel_for(0, x.size(0), kRowsOfTask, [&](int64_t from, int64_t to) {
      const T* add = delta.defined() ? Data<T>(delta) + from * width : nullptr;
      kernels::AddRmsNorm(to - from, width, Data<float>(x) + from * width, add,
                          Data<float>(weight), epsilon,
                          Data<T>(out) + from * width);
    });
  });
  return out;
}

Tensor FrozenLayers::SiluMul(const Tensor& gate_up) const {
  const int64_t width = config_.intermediate_size;
  Tensor out = torch::empty({gate_up.size(0), width}, dtype_);
  WithType(dtype_, [&](auto type) {
    using T = decltype(type);
    at::parallel_for(0, out.size(0), kRowsOfTask,
                     [&](int64_t from, int64_t to) {
                       kernels::SiluMul(to - from, width,
                                        Data<T>(gate_up) + from * 2 * width,
                                        Data<T>(out) + from * width);
                     });
  });
  return out;
}

Tensor FrozenLayers::Attend(const PackedBatch& batch, const Tensor& qkv,
                            bool last_only) const {
  const kernels::AttentionShape shape{config_.heads, config_.kv_heads,
                                      config_.head_dim};
  Tensor out =
      torch::empty({qkv.size(0), config_.heads * config_.head_dim}, dtype_);
  const auto texts = static_cast<int64_t>(batch.begin.size());
  WithType(dtype_, [&](auto type) {
    using T = decltype(type);
    // A task is a text's key/value head. Neighbours differ in length, so
    // threads take every n-th one rather than a stretch each.
    const int64_t tasks = texts * shape.kv_heads;
    const int64_t threads = std::min<int64_t>(tasks, 4 * at::get_num_threads());
    at::parallel_for(0, threads, 1, [&](int64_t from, int64_t to) {
      std::vector<float> scratch(static_cast<size_t>(
          kernels::AttentionScratch(shape, batch.max_length)));
      for (int64_t thread = from; thread < to; ++thread) {
        for (int64_t task = thread; task < tasks; task += threads) {
          const int64_t text = task / shape.kv_heads;
          const int64_t begin = batch.begin[text], length = batch.length[text];
          kernels::Attention(
              shape, task % shape.kv_heads, length, last_only ? length - 1 : 0,
              Data<T>(qkv) + begin * qkv.size(1), Data<float>(rotary_.cosine),
              Data<float>(rotary_.sine), scratch.data(),
              Data<T>(out) + begin * out.size(1));
        }
      }
    });
  });
  return out;
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
    Tensor mixed = Attend(batch, qkv, last);
    if (!last) {
      delta = layer.output(mixed);
      const Tensor normed = AddNorm(x, delta, layer.post_norm);
      delta = layer.down(SiluMul(layer.gate_up(normed)));
      continue;
    }
    Tensor rows = x.index_select(0, batch.last);
    mixed = layer.output(mixed.index_select(0, batch.last));
    const Tensor normed = AddNorm(rows, mixed, layer.post_norm);
    rows.add_(layer.down(SiluMul(layer.gate_up(normed))));
    x.index_copy_(0, batch.last, rows);
    delta = Tensor();
  }
  if (delta.defined()) x.add_(delta);
}

}  // namespace larr
