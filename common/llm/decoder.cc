// SPDX-License-Identifier: Apache-2.0
#include "common/llm/decoder.h"

#include <ATen/CPUGeneratorImpl.h>
#include <fmt/format.h>
#include <torch/utils.h>
#include <xxhash.h>

#include <array>
#include <memory>
#include <span>
#include <utility>

#include "common/llm/layer_ops.h"
#include "common/llm/recompute.h"

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

// A layer's tensors by name.
template <typename Weights>
auto TensorsOf(Weights& layer) {
  return std::array{std::pair{"input_norm", &layer.input_norm},
                    std::pair{"qkv", &layer.qkv},
                    std::pair{"output", &layer.output},
                    std::pair{"post_norm", &layer.post_norm},
                    std::pair{"gate_up", &layer.gate_up},
                    std::pair{"down", &layer.down},
                    std::pair{"qkv_bias", &layer.qkv_bias},
                    std::pair{"output_bias", &layer.output_bias}};
}

template <typename Adapters>
auto AdaptersOf(Adapters& adapters) {
  return std::array{std::pair{"qkv", &adapters.qkv},
                    std::pair{"output", &adapters.output},
                    std::pair{"gate_up", &adapters.gate_up},
                    std::pair{"down", &adapters.down}};
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
    for (const auto& [name, tensor] : TensorsOf(layer))
      if (tensor->defined()) *tensor = tensor->detach();
  }
}

void Decoder::AddAdapters(const LoraOptions& options) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(options.seed);
  adapters_.resize(weights_.layers.size());
  for (size_t i = frozen_.count(); i < adapters_.size(); ++i) {
    const LayerWeights& layer = weights_.layers[i];
    const auto make = [&](const Tensor& weight) {
      return MakeLoraAdapter(weight, options, generator);
    };
    adapters_[i] = {make(layer.qkv), make(layer.output), make(layer.gate_up),
                    make(layer.down)};
  }
}

void Decoder::MergeAdapters() {
  for (size_t i = 0; i < adapters_.size(); ++i) {
    LayerWeights& layer = weights_.layers[i];
    MergeLora(adapters_[i].qkv, layer.qkv);
    MergeLora(adapters_[i].output, layer.output);
    MergeLora(adapters_[i].gate_up, layer.gate_up);
    MergeLora(adapters_[i].down, layer.down);
  }
  adapters_.clear();
}

void Decoder::CacheFrozenLayers(std::unique_ptr<FrozenCache> cache) {
  cache_ = std::move(cache);
}

std::string Decoder::FrozenIdentity() const {
  std::string hashes;
  const auto add = [&](const Tensor& tensor) {
    const Tensor bytes = tensor.detach().cpu().contiguous();
    const XXH128_hash_t hash =
        XXH3_128bits(bytes.const_data_ptr(), bytes.nbytes());
    hashes += fmt::format("{} {:016x}{:016x}\n", bytes.nbytes(), hash.high64,
                          hash.low64);
  };
  add(weights_.embedding);
  for (int64_t i = 0; i < frozen_.count(); ++i) {
    for (const auto& [name, tensor] : TensorsOf(weights_.layers[i]))
      if (tensor->defined()) add(*tensor);
  }
  return hashes;
}

std::vector<TrainedTensor> Decoder::Train(bool with_vocabulary) {
  std::vector<TrainedTensor> trained;
  const auto add = [&](std::string name, Tensor& tensor, bool is_new) {
    tensor.requires_grad_(true);
    trained.push_back({std::move(name), tensor, is_new});
  };
  if (with_vocabulary) {
    const bool all = frozen_.count() == 0 && adapters_.empty();
    if (all) add("embedding.known", embedding_.known, false);
    if (embedding_.special.size(0) > 0 && cache_ == nullptr)
      add("embedding.special", embedding_.special, true);
    if (!config_.tied_head) {
      if (all) add("head.known", head_.known, false);
      if (head_.special.size(0) > 0) add("head.special", head_.special, true);
    }
  }
  for (size_t i = frozen_.count(); i < weights_.layers.size(); ++i) {
    if (!adapters_.empty()) {
      for (const auto& [name, adapter] : AdaptersOf(adapters_[i])) {
        add(fmt::format("layers.{}.{}.lora_a", i, name), adapter->a, false);
        add(fmt::format("layers.{}.{}.lora_b", i, name), adapter->b, false);
      }
      continue;
    }
    for (const auto& [name, tensor] : TensorsOf(weights_.layers[i]))
      if (tensor->defined())
        add(fmt::format("layers.{}.{}", i, name), *tensor, false);
  }
  if (adapters_.empty()) add("norm", weights_.norm, false);
  return trained;
}

std::vector<Tensor> Decoder::Learned(size_t i) const {
  std::vector<Tensor> learned;
  for (const auto& [name, tensor] : TensorsOf(weights_.layers[i]))
    if (tensor->defined() && tensor->requires_grad())
      learned.push_back(*tensor);
  if (adapters_.empty()) return learned;
  for (const auto& [name, adapter] : AdaptersOf(adapters_[i])) {
    for (const Tensor& tensor : {adapter->a, adapter->b})
      if (tensor.requires_grad()) learned.push_back(tensor);
  }
  return learned;
}

Tensor Decoder::Embed(const Tensor& ids) const {
  // Below frozen layers no gradient would arrive.
  const bool learns = frozen_.count() == 0 && torch::GradMode::is_enabled();
  if (learns && embedding_.known.requires_grad()) {
    const Tensor table = torch::cat({embedding_.known, embedding_.special});
    return ops::Lookup(table, ids);
  }
  const Tensor x = torch::embedding(weights_.embedding.detach(), ids);
  if (!learns || !embedding_.special.requires_grad())
    return x.to(torch::kFloat32);
  const int64_t first = embedding_.known.size(0);
  const Tensor rows = ids.ge(first).nonzero().squeeze(1);
  const Tensor special = ids.index_select(0, rows) - first;
  return x.to(torch::kFloat32)
      .index_copy(0, rows, ops::Lookup(embedding_.special, special));
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
  const Tensor out = torch::empty(
      {qkv.size(0), config_.heads * config_.head_dim}, qkv.options());
  for (size_t i = 0; i < batch.begin.size(); ++i) {
    const int64_t length = batch.length[i];
    const auto rows = [&](const Tensor& x) {
      return x.narrow(0, batch.begin[i], length);
    };
    const auto turned = [&](const Tensor& x) {
      const auto at = [&](const Tensor& table) {
        return table.narrow(0, 0, length).unsqueeze(1);
      };
      return Rotate(rows(x), at(rotary_.cosine), at(rotary_.sine));
    };
    // [length, n, D] -> [1, n, length, D]
    const auto arrange = [](const Tensor& x) {
      return x.transpose(0, 1).unsqueeze(0);
    };
    rows(out).copy_(at::scaled_dot_product_attention(
                        arrange(turned(heads[0])), arrange(turned(heads[1])),
                        arrange(rows(heads[2])), {}, 0.0, /*is_causal=*/true,
                        std::nullopt,
                        /*enable_gqa=*/true)
                        .squeeze(0)
                        .transpose(0, 1)
                        .reshape({length, -1}));
  }
  return out;
}

Tensor Decoder::Gated(const Tensor& gate_up) const {
  if (Fused(gate_up)) return ops::SiluMul(gate_up);
  const auto parts = gate_up.chunk(2, -1);
  return at::silu(parts[0]) * parts[1];
}

Tensor Decoder::Layer(size_t i, const PackedBatch& batch, Tensor x) const {
  const LayerWeights& layer = weights_.layers[i];
  const LayerAdapters adapters =
      adapters_.empty() ? LayerAdapters{} : adapters_[i];
  const auto linear = [](const Tensor& in, const Tensor& weight,
                         const Tensor& bias, const LoraAdapter& adapter) {
    return Adapt(adapter, in, ops::Linear(in, weight, bias));
  };
  const Tensor qkv = linear(Norm(x, layer.input_norm), layer.qkv,
                            layer.qkv_bias, adapters.qkv);
  x = x + linear(Attend(batch, qkv), layer.output, layer.output_bias,
                 adapters.output);
  const Tensor gate_up =
      linear(Norm(x, layer.post_norm), layer.gate_up, {}, adapters.gate_up);
  return x + linear(Gated(gate_up), layer.down, {}, adapters.down);
}

Tensor Decoder::Frozen(const PackedBatch& batch) const {
  if (cache_ == nullptr) {
    Tensor x = Embed(batch.ids);
    if (frozen_.count() > 0) frozen_.Run(batch, x);
    return x;
  }
  const torch::NoGradGuard no_grad;
  const Tensor out =
      torch::empty({batch.tokens(), config_.hidden_size}, torch::kFloat32);
  for (size_t i = 0; i < batch.begin.size(); ++i) {
    const std::span<const int64_t> ids(
        batch.ids.const_data_ptr<int64_t>() + batch.begin[i],
        static_cast<size_t>(batch.length[i]));
    const Tensor rows = out.narrow(0, batch.begin[i], batch.length[i]);
    if (cache_->Find(ids, rows.data_ptr<float>())) continue;
    const PackedBatch alone = Pack({{TokenIds(ids.begin(), ids.end())}});
    Tensor x = Embed(alone.ids);
    frozen_.Run(alone, x);
    rows.copy_(x);
    cache_->Add(ids, rows.const_data_ptr<float>());
  }
  return out;
}

Tensor Decoder::Hidden(const PackedBatch& batch, const Tensor& added) const {
  TORCH_CHECK(batch.max_length <= config_.max_positions, "a text of ",
              batch.max_length, " tokens is longer than the model's ",
              config_.max_positions, " positions");
  Tensor x = Frozen(batch);
  if (added.defined()) x = x + added;
  std::shared_ptr<const PackedBatch> kept;
  if (recompute_ && torch::GradMode::is_enabled())
    kept = std::make_shared<const PackedBatch>(batch);
  for (size_t i = frozen_.count(); i < weights_.layers.size(); ++i) {
    const auto learned = kept ? Learned(i) : std::vector<Tensor>();
    if (learned.empty()) {
      x = Layer(i, batch, x);
    } else {
      x = Recompute(
          [this, i, kept](const Tensor& in) { return Layer(i, *kept, in); }, x,
          learned);
    }
  }
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
