// SPDX-License-Identifier: Apache-2.0
#include "common/llm/weights.h"

#include <fmt/format.h>
#include <torch/utils.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "common/tensors/safetensors.h"
#include "common/tensors/torch_status.h"

namespace larr {
namespace {

constexpr char kFile[] = "model.safetensors";
constexpr char kIndex[] = "model.safetensors.index.json";
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
    weights.layers.push_back(std::move(layer));
  }
  weights.norm = make({c.hidden_size});
  weights.head =
      c.tied_head ? weights.embedding : make({c.vocab_size, c.hidden_size});
  return weights;
}

// Files of the folder, in a fixed order.
absl::StatusOr<std::vector<std::filesystem::path>> WeightFiles(
    const std::filesystem::path& folder) {
  if (std::filesystem::exists(folder / kFile))
    return std::vector{folder / kFile};
  if (!std::filesystem::exists(folder / kIndex)) {
    return absl::NotFoundError(fmt::format("{}: has neither {} nor {}",
                                           folder.string(), kFile, kIndex));
  }
  LARR_ASSIGN_OR_RETURN(const std::string text, ReadFile(folder / kIndex));
  std::set<std::filesystem::path> files;
  try {
    const auto index = nlohmann::json::parse(text);
    for (const auto& file : index.at("weight_map"))
      files.insert(folder / file.get<std::string>());
  } catch (const nlohmann::json::exception& error) {
    return absl::InvalidArgumentError(
        fmt::format("{}: {}", (folder / kIndex).string(), error.what()));
  }
  return std::vector(files.begin(), files.end());
}

// Buffers that old checkpoints carry and that follow from the config.
bool IsDerived(const std::string& name) {
  return name.ends_with(".rotary_emb.inv_freq");
}

// Copies every tensor of the file to its place and takes it off `missing`.
absl::Status CopyFile(const SafetensorsFile& file, const LlmConfig& config,
                      const LlmWeights& weights,
                      std::map<std::string, torch::Tensor>& missing) {
  for (const std::string& name : file.names()) {
    if (IsDerived(name)) continue;
    const auto found = missing.find(name);
    if (found == missing.end()) {
      // Some models store the tied head a second time.
      if (name == kHeadName && config.tied_head) {
        LARR_ASSIGN_OR_RETURN(const auto head, file.View(name));
        if (head.sizes() == weights.embedding.sizes()) continue;
      }
      return absl::InvalidArgumentError(
          fmt::format("{}: tensor '{}' is not part of a model with this "
                      "config.json, or stands there twice",
                      file.path().string(), name));
    }
    const auto shape = found->second.sizes();
    LARR_ASSIGN_OR_RETURN(const auto tensor,
                          file.View(name, {shape.data(), shape.size()}));
    if (!tensor.is_floating_point()) {
      return absl::InvalidArgumentError(
          fmt::format("{}: tensor '{}' holds integers, expected weights",
                      file.path().string(), name));
    }
    found->second.copy_(tensor);
    if (!torch::isfinite(found->second.sum(torch::kFloat32)).item<bool>()) {
      return absl::DataLossError(
          fmt::format("{}: tensor '{}' has values that are not finite",
                      file.path().string(), name));
    }
    missing.erase(found);
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
          {fmt::format("model.layers.{}.{}.weight", i, name), std::move(view)});
    };
    add("input_layernorm", layer.input_norm);
    add("self_attn.q_proj", layer.qkv.narrow(0, 0, query));
    add("self_attn.k_proj", layer.qkv.narrow(0, query, key));
    add("self_attn.v_proj", layer.qkv.narrow(0, query + key, key));
    add("self_attn.o_proj", layer.output);
    add("post_attention_layernorm", layer.post_norm);
    add("mlp.gate_proj", layer.gate_up.narrow(0, 0, c.intermediate_size));
    add("mlp.up_proj",
        layer.gate_up.narrow(0, c.intermediate_size, c.intermediate_size));
    add("mlp.down_proj", layer.down);
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
        LARR_ASSIGN_OR_RETURN(const auto files, WeightFiles(folder));
        LlmWeights weights = Allocate(config, dtype);
        std::map<std::string, torch::Tensor> missing;
        for (auto& [name, view] : NamedWeights(config, weights))
          missing.emplace(name, view);
        for (const auto& path : files) {
          LARR_ASSIGN_OR_RETURN(const auto file, SafetensorsFile::Open(path));
          LARR_RETURN_IF_ERROR(CopyFile(file, config, weights, missing));
        }
        if (!missing.empty()) {
          return absl::NotFoundError(fmt::format(
              "{}: tensor '{}' is missing ({} in all)", folder.string(),
              missing.begin()->first, missing.size()));
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
    return WriteSafetensors(folder / kFile, tensors, {{"format", "pt"}});
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
