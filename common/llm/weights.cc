// SPDX-License-Identifier: Apache-2.0
#include "common/llm/weights.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/utils.h>

#include <map>
#include <utility>

#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/llm/weight_files.h"
#include "common/tensors/safetensors.h"
#include "common/tensors/torch_status.h"

namespace larr {
namespace {

constexpr char kHeadName[] = "lm_head.weight";

LlmWeights Allocate(const LlmConfig& c, torch::ScalarType dtype) {
  const auto make = [&](std::initializer_list<int64_t> shape) {
    return torch::empty(shape, dtype);
  };
  LlmWeights weights;
  weights.embedding = make({c.vocab_size, c.hidden_size});
  for (int64_t i = 0; i < c.layers; ++i) {
    LayerWeights layer;
    layer.input_norm = make({c.hidden_size});
    layer.qkv = make({(c.heads + 2 * c.kv_heads) * c.head_dim, c.hidden_size});
    layer.output = make({c.hidden_size, c.heads * c.head_dim});
    layer.post_norm = make({c.hidden_size});
    layer.gate_up = make({2 * c.intermediate_size, c.hidden_size});
    layer.down = make({c.hidden_size, c.intermediate_size});
    if (c.family.qkv_bias)
      layer.qkv_bias = make({(c.heads + 2 * c.kv_heads) * c.head_dim});
    if (c.family.output_bias) layer.output_bias = make({c.hidden_size});
    weights.layers.push_back(std::move(layer));
  }
  weights.norm = make({c.hidden_size});
  weights.head =
      c.tied_head ? weights.embedding : make({c.vocab_size, c.hidden_size});
  return weights;
}

// Buffers that old checkpoints carry and that follow from the config.
bool IsDerived(const std::string& name) {
  return name.ends_with(".rotary_emb.inv_freq");
}

absl::Status CopyTensor(const torch::Tensor& from, const torch::Tensor& to) {
  if (from.sizes() != to.sizes()) {
    return Invalid("has shape [{}], expected [{}]",
                   fmt::join(from.sizes(), ", "), fmt::join(to.sizes(), ", "));
  }
  if (!from.is_floating_point())
    return absl::InvalidArgumentError("holds integers, expected weights");
  to.copy_(from);
  if (!torch::isfinite(to.sum(torch::kFloat32)).item<bool>())
    return absl::DataLossError("has values that are not finite");
  return absl::OkStatus();
}

// Copies every tensor of the file to its place and takes it off `missing`.
absl::Status CopyFile(const WeightFile& file, const LlmConfig& config,
                      std::map<std::string, torch::Tensor>& missing) {
  for (const auto& [name, tensor] : file.tensors) {
    if (IsDerived(name)) continue;
    const auto found = missing.find(name);
    absl::Status status;
    if (found != missing.end()) {
      status = CopyTensor(tensor, found->second);
      missing.erase(found);
    } else if (name != kHeadName || !config.tied_head) {
      // Some models store the tied head a second time.
      status = absl::InvalidArgumentError(
          "is not part of a model with this config.json, or stands there "
          "twice");
    }
    if (!status.ok()) {
      return absl::Status(status.code(),
                          fmt::format("{}: tensor '{}' {}", file.path.string(),
                                      name, std::string(status.message())));
    }
    file.mapping->Forget(tensor.const_data_ptr(), tensor.nbytes());
  }
  return absl::OkStatus();
}

torch::Tensor Resized(const torch::Tensor& table, int64_t rows,
                      int64_t first_new, uint64_t seed) {
  const torch::NoGradGuard no_grad;
  const auto known = table.slice(0, 0, first_new).to(torch::kFloat32);
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  const auto noise = torch::randn({rows - first_new, table.size(1)}, generator,
                                  torch::kFloat32);
  const auto fresh = known.mean(0) + noise * (0.02 * known.std());
  return torch::cat({table.slice(0, 0, first_new), fresh.to(table.options())});
}

}  // namespace

std::vector<NamedWeight> NamedWeights(const LlmConfig& c,
                                      const LlmWeights& weights) {
  std::vector<NamedWeight> named = {
      {"model.embed_tokens.weight", weights.embedding}};
  const int64_t query = c.heads * c.head_dim, key = c.kv_heads * c.head_dim;
  for (size_t i = 0; i < weights.layers.size(); ++i) {
    const LayerWeights& layer = weights.layers[i];
    const auto add = [&](const char* name, torch::Tensor view) {
      named.push_back(
          {fmt::format("model.layers.{}.{}", i, name), std::move(view)});
    };
    // The parts of a matrix, or of its bias.
    const auto add_qkv = [&](const char* kind, const torch::Tensor& all) {
      if (c.family.packed_qkv)
        return add(fmt::format("self_attn.W_pack.{}", kind).c_str(), all);
      int64_t from = 0;
      for (const char part : {'q', 'k', 'v'}) {
        const int64_t rows = part == 'q' ? query : key;
        add(fmt::format("self_attn.{}_proj.{}", part, kind).c_str(),
            all.narrow(0, from, rows));
        from += rows;
      }
    };
    add("input_layernorm.weight", layer.input_norm);
    add_qkv("weight", layer.qkv);
    if (layer.qkv_bias.defined()) add_qkv("bias", layer.qkv_bias);
    add("self_attn.o_proj.weight", layer.output);
    if (layer.output_bias.defined())
      add("self_attn.o_proj.bias", layer.output_bias);
    add("post_attention_layernorm.weight", layer.post_norm);
    add("mlp.gate_proj.weight",
        layer.gate_up.narrow(0, 0, c.intermediate_size));
    add("mlp.up_proj.weight",
        layer.gate_up.narrow(0, c.intermediate_size, c.intermediate_size));
    add("mlp.down_proj.weight", layer.down);
  }
  named.push_back({"model.norm.weight", weights.norm});
  if (!c.tied_head) named.push_back({kHeadName, weights.head});
  return named;
}

absl::StatusOr<LlmWeights> ReadLlmWeights(const std::filesystem::path& folder,
                                          const LlmConfig& config,
                                          torch::ScalarType dtype) {
  return GuardTorch(
      "reading " + folder.string(), [&]() -> absl::StatusOr<LlmWeights> {
        const torch::NoGradGuard no_grad;
        LARR_ASSIGN_OR_RETURN(const auto files, FindWeightFiles(folder));
        LlmWeights weights = Allocate(config, dtype);
        std::map<std::string, torch::Tensor> missing;
        for (auto& [name, view] : NamedWeights(config, weights))
          missing.emplace(name, view);
        for (const auto& path : files) {
          LARR_ASSIGN_OR_RETURN(const auto file, OpenWeightFile(path));
          LARR_RETURN_IF_ERROR(CopyFile(file, config, missing));
        }
        if (!missing.empty()) {
          return absl::NotFoundError(fmt::format(
              "{}: tensor '{}' is missing ({} in all) in {} file(s)",
              files.back().string(), missing.begin()->first, missing.size(),
              files.size()));
        }
        return weights;
      });
}

absl::Status WriteLlmWeights(const std::filesystem::path& folder,
                             const LlmConfig& config, const LlmWeights& weights,
                             torch::ScalarType dtype) {
  return GuardTorch("writing " + folder.string(), [&] {
    std::map<std::string, torch::Tensor> tensors;
    for (const auto& [name, view] : NamedWeights(config, weights))
      tensors.emplace(name, view.detach().to(torch::kCPU, dtype));
    return WriteSafetensors(folder / kModelWeightsFile, tensors,
                            {{"format", "pt"}});
  });
}

void ResizeVocabulary(int64_t rows, int64_t first_new, uint64_t seed,
                      LlmConfig& config, LlmWeights& weights) {
  weights.embedding = Resized(weights.embedding, rows, first_new, seed);
  weights.head = config.tied_head
                     ? weights.embedding
                     : Resized(weights.head, rows, first_new, seed + 1);
  config.vocab_size = rows;
}

}  // namespace larr
