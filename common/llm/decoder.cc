// SPDX-License-Identifier: Apache-2.0
#include "common/llm/decoder.h"

#include <fmt/format.h>
#include <torch/utils.h>

#include <utility>

#include "common/llm/layer_ops.h"

namespace larr {
namespace {

using torch::Tensor;

// The rows [from, to) of a table as a leaf on the same memory.
Tensor Leaf(const Tensor& table, int64_t from, int64_t to) {
  return table.detach().slice(0, from, to);
}

// Rows of length 1: what the head of Baichuan2 multiplies by.
Tensor UnitRows(const Tensor& rows) {
  const Tensor length =
      at::linalg_vector_norm(rows, 2, {1}, /*keepdim=*/true, torch::kFloat32);
  return (rows / length.clamp_min(1e-12)).to(rows.scalar_type());
}

// x [T, n, D], turned by cosine and sine [T, 1, D / 2].
Tensor Rotate(const Tensor& x, const Tensor& cosine, const Tensor& sine) {
  const auto halves = x.to(torch::kFloat32).chunk(2, -1);
  return torch::cat({halves[0] * cosine - halves[1] * sine,
                     halves[1] * cosine + halves[0] * sine},
                    -1)
      .to(x.scalar_type());
}

}  // namespace

Decoder::Decoder(const LlmConfig& config, const LlmWeights& weights,
                 int64_t first_special, int64_t frozen_layers)
    : config_(config),
      weights_(weights),
      rotary_(MakeRotaryTable(config.max_positions, config.head_dim,
                              config.rope_theta, config.rope_scaling)),
      frozen_(config,
              {weights.layers.begin(), weights.layers.begin() + frozen_layers},
              2048) {
  const auto split = [&](const Tensor& table) {
    return VocabularyTable{Leaf(table, 0, first_special),
                           Leaf(table, first_special, table.size(0))};
  };
  embedding_ = split(weights.embedding);
  head_ = config.tied_head ? embedding_ : split(weights.head);
  weights_.norm = weights.norm.detach();
  for (auto& layer : weights_.layers) {
    for (Tensor* tensor :
         {&layer.input_norm, &layer.qkv, &layer.output, &layer.post_norm,
          &layer.gate_up, &layer.down, &layer.qkv_bias, &layer.output_bias}) {
      if (tensor->defined()) *tensor = tensor->detach();
    }
  }
}

std::vector<TrainedTensor> Decoder::Train(bool with_vocabulary) {
  std::vector<TrainedTensor> trained;
  const auto add = [&](std::string name, Tensor& tensor, bool is_new) {
    tensor.requires_grad_(true);
    trained.push_back({std::move(name), tensor, is_new});
  };
  if (with_vocabulary) {
    const bool all = frozen_.count() == 0;
    if (all) add("embedding.known", embedding_.known, false);
    if (embedding_.special.size(0) > 0)
      add("embedding.special", embedding_.special, true);
    if (!config_.tied_head) {
      if (all) add("head.known", head_.known, false);
      if (head_.special.size(0) > 0) add("head.special", head_.special, true);
    }
  }
  for (size_t i = frozen_.count(); i < weights_.layers.size(); ++i) {
    LayerWeights& layer = weights_.layers[i];
    const auto add_layer = [&](const char* name, Tensor& tensor) {
      if (tensor.defined())
        add(fmt::format("layers.{}.{}", i, name), tensor, false);
    };
    add_layer("input_norm", layer.input_norm);
    add_layer("qkv", layer.qkv);
    add_layer("output", layer.output);
    add_layer("post_norm", layer.post_norm);
    add_layer("gate_up", layer.gate_up);
    add_layer("down", layer.down);
    add_layer("qkv_bias", layer.qkv_bias);
    add_layer("output_bias", layer.output_bias);
  }
  add("norm", weights_.norm, false);
  return trained;
}

Tensor Decoder::Embed(const Tensor& ids) const {
  // Below frozen layers no gradient would arrive.
  const bool learns =
      frozen_.count() == 0 && torch::GradMode::is_enabled() &&
      (embedding_.known.requires_grad() || embedding_.special.requires_grad());
  const Tensor table = learns
                           ? torch::cat({embedding_.known, embedding_.special})
                           : weights_.embedding.detach();
  return torch::embedding(table, ids).to(torch::kFloat32);
}

Tensor Decoder::Norm(const Tensor& x, const Tensor& weight) const {
  if (Fused(x)) return ops::RmsNorm(x, weight, config_.norm_epsilon);
  const auto scale =
      torch::rsqrt(x.square().mean(-1, true) + config_.norm_epsilon);
  return (x * scale).to(weight.scalar_type()) * weight;
}

bool Decoder::Fused(const Tensor& x) const {
  return !plain_ && x.device().is_cpu();
}

Tensor Decoder::Attend(const PackedBatch& batch, const Tensor& qkv) const {
  if (Fused(qkv)) return ops::Attention(qkv, batch, config_, rotary_);
  const auto heads =
      qkv.view({qkv.size(0), -1, config_.head_dim})
          .split_with_sizes({config_.heads, config_.kv_heads, config_.kv_heads},
                            1);
  const auto table = [&](const Tensor& values) {
    return values.index_select(0, batch.positions).unsqueeze(1);
  };
  const Tensor cosine = table(rotary_.cosine), sine = table(rotary_.sine);
  const Tensor turned[] = {Rotate(heads[0], cosine, sine),
                           Rotate(heads[1], cosine, sine), heads[2]};
  std::vector<Tensor> parts;
  for (const AttentionGroup& group : batch.groups) {
    // [T, n, D] -> [texts, n, length, D]
    const auto arrange = [&](const Tensor& x) {
      Tensor rows = x.narrow(0, group.begin, group.tokens);
      if (group.cell_to_row.defined())
        rows = rows.index_select(0, group.cell_to_row);
      return rows.reshape({group.texts, group.length, x.size(1), x.size(2)})
          .transpose(1, 2);
    };
    Tensor out = at::scaled_dot_product_attention(
        arrange(turned[0]), arrange(turned[1]), arrange(turned[2]), {}, 0.0,
        /*is_causal=*/true, std::nullopt, /*enable_gqa=*/true);
    out = out.transpose(1, 2).reshape({-1, config_.heads * config_.head_dim});
    if (group.row_to_cell.defined())
      out = out.index_select(0, group.row_to_cell);
    parts.push_back(out);
  }
  return parts.size() == 1 ? parts[0] : torch::cat(parts);
}

Tensor Decoder::Gated(const Tensor& gate_up) const {
  if (Fused(gate_up)) return ops::SiluMul(gate_up);
  const auto parts = gate_up.chunk(2, -1);
  return at::silu(parts[0]) * parts[1];
}

Tensor Decoder::Layer(const LayerWeights& layer, const PackedBatch& batch,
                      Tensor x) const {
  const Tensor qkv =
      at::linear(Norm(x, layer.input_norm), layer.qkv, layer.qkv_bias);
  x = x + at::linear(Attend(batch, qkv), layer.output, layer.output_bias);
  const Tensor gate_up = at::linear(Norm(x, layer.post_norm), layer.gate_up);
  return x + at::linear(Gated(gate_up), layer.down);
}

Tensor Decoder::Hidden(const PackedBatch& batch) const {
  TORCH_CHECK(batch.max_length <= config_.max_positions, "a text of ",
              batch.max_length, " tokens is longer than the model's ",
              config_.max_positions, " positions");
  Tensor x = Embed(batch.ids);
  if (frozen_.count() > 0) frozen_.Run(batch, x);
  for (size_t i = frozen_.count(); i < weights_.layers.size(); ++i)
    x = Layer(weights_.layers[i], batch, x);
  return Norm(x, weights_.norm);
}

VocabularyTable Decoder::head() const {
  if (!config_.family.norm_head) return head_;
  return {UnitRows(head_.known), UnitRows(head_.special)};
}

Tensor Decoder::Logits(const Tensor& hidden) const {
  const VocabularyTable rows = head();
  return torch::cat({at::linear(hidden, rows.known).to(torch::kFloat32),
                     at::linear(hidden, rows.special).to(torch::kFloat32)},
                    -1);
}

}  // namespace larr
