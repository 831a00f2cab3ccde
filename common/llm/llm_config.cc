// SPDX-License-Identifier: Apache-2.0
#include "common/llm/llm_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

#include "common/base/files.h"
#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/llm/attention_kernels.h"

namespace larr {
namespace {

using Json = nlohmann::json;

constexpr int64_t kMaxPositions = 16384;

absl::Status Wrong(const std::string& file, std::string_view field,
                   const std::string& what) {
  return Invalid("{}: `{}` {}", file, field, what);
}

// A number that must be there and positive.
absl::StatusOr<int64_t> Size(const Json& json, const std::string& file,
                             const char* field) {
  const auto found = json.find(field);
  if (found == json.end()) return Wrong(file, field, "is missing");
  if (!found->is_number_integer() || found->get<int64_t>() < 1 ||
      found->get<int64_t>() > (int64_t{1} << 32)) {
    return Wrong(
        file, field,
        fmt::format("is {}, expected a positive number", found->dump()));
  }
  return found->get<int64_t>();
}

bool IsSet(const Json& json, const char* field) {
  const auto found = json.find(field);
  return found != json.end() && !found->is_null();
}

// What this decoder does not compute in any family.
absl::Status CheckCommon(const Json& json, const std::string& file) {
  if (const auto act = json.value("hidden_act", "silu"); act != "silu")
    return Wrong(file, "hidden_act",
                 fmt::format("is '{}'; supported: silu", act));
  if (IsSet(json, "quantization_config")) {
    return Wrong(file, "quantization_config",
                 "is set; convert the weights to float32 or bfloat16");
  }
  return absl::OkStatus();
}

// A positive number of a rope object.
absl::StatusOr<double> Factor(const Json& rope, const std::string& file,
                              const char* field) {
  const auto found = rope.find(field);
  if (found == rope.end() || !found->is_number() || found->get<double>() <= 0)
    return Wrong(file, field, "is missing or not a positive number");
  return found->get<double>();
}

absl::StatusOr<RopeScaling> ReadScaling(const Json& rope,
                                        const std::string& file,
                                        const char* field) {
  RopeScaling scaling;
  const std::string type =
      rope.value("rope_type", rope.value("type", "default"));
  if (rope.value("partial_rotary_factor", 1.0) != 1.0)
    return Wrong(file, "partial_rotary_factor", "is set; supported: 1");
  if (type == "default") return scaling;
  if (type != "linear" && type != "llama3") {
    return Wrong(
        file, field,
        fmt::format("has type '{}'; supported: default, linear, llama3", type));
  }
  scaling.kind = RopeScaling::Kind::kLinear;
  LARR_ASSIGN_OR_RETURN(scaling.factor, Factor(rope, file, "factor"));
  if (type == "linear") return scaling;
  scaling.kind = RopeScaling::Kind::kLlama3;
  LARR_ASSIGN_OR_RETURN(scaling.low, Factor(rope, file, "low_freq_factor"));
  LARR_ASSIGN_OR_RETURN(scaling.high, Factor(rope, file, "high_freq_factor"));
  LARR_ASSIGN_OR_RETURN(scaling.trained,
                        Factor(rope, file, "original_max_position_embeddings"));
  if (scaling.high <= scaling.low) {
    return Wrong(file, "high_freq_factor",
                 "must be greater than `low_freq_factor`");
  }
  return scaling;
}

// transformers 4 writes `rope_theta` and `rope_scaling`, transformers 5 both
// within `rope_parameters`.
absl::Status ReadRope(const Json& json, const std::string& file,
                      LlmConfig& config) {
  config.rope_theta = json.value("rope_theta", 10000.0);
  for (const char* field : {"rope_scaling", "rope_parameters"}) {
    if (!IsSet(json, field)) continue;
    const Json& rope = json.at(field);
    LARR_ASSIGN_OR_RETURN(config.rope_scaling, ReadScaling(rope, file, field));
    config.rope_theta = rope.value("rope_theta", config.rope_theta);
  }
  return absl::OkStatus();
}

absl::StatusOr<LlmConfig> FromJson(const Json& json, const std::string& text,
                                   const std::string& file) {
  LARR_RETURN_IF_ERROR(CheckCommon(json, file));
  LlmConfig config;
  LARR_ASSIGN_OR_RETURN(config.family, ReadLlmFamily(json, file));
  config.json = text;
  LARR_ASSIGN_OR_RETURN(config.vocab_size, Size(json, file, "vocab_size"));
  LARR_ASSIGN_OR_RETURN(config.hidden_size, Size(json, file, "hidden_size"));
  LARR_ASSIGN_OR_RETURN(config.intermediate_size,
                        Size(json, file, "intermediate_size"));
  LARR_ASSIGN_OR_RETURN(config.layers, Size(json, file, "num_hidden_layers"));
  LARR_ASSIGN_OR_RETURN(config.heads, Size(json, file, "num_attention_heads"));
  config.kv_heads = config.heads;
  if (IsSet(json, "num_key_value_heads")) {
    LARR_ASSIGN_OR_RETURN(config.kv_heads,
                          Size(json, file, "num_key_value_heads"));
  }
  config.head_dim = config.hidden_size / config.heads;
  if (IsSet(json, "head_dim")) {
    LARR_ASSIGN_OR_RETURN(config.head_dim, Size(json, file, "head_dim"));
  } else if (config.hidden_size % config.heads != 0) {
    return Wrong(file, "hidden_size",
                 "must be a multiple of `num_attention_heads`");
  }
  config.max_positions = 2048;
  if (IsSet(json, "max_position_embeddings")) {
    LARR_ASSIGN_OR_RETURN(config.max_positions,
                          Size(json, file, "max_position_embeddings"));
  }
  config.max_positions = std::min(
      {config.max_positions, config.family.max_positions, kMaxPositions});
  if (config.heads % config.kv_heads != 0) {
    return Wrong(file, "num_key_value_heads",
                 fmt::format("is {}, which does not divide {} heads",
                             config.kv_heads, config.heads));
  }
  if (config.head_dim % 2 != 0 || config.head_dim > kernels::kMaxHeadDim) {
    return Wrong(file, "head_dim",
                 fmt::format("is {}; supported: even numbers up to {}",
                             config.head_dim, kernels::kMaxHeadDim));
  }
  config.norm_epsilon = json.value("rms_norm_eps", 1e-6);
  config.tied_head = json.value("tie_word_embeddings", false);
  LARR_RETURN_IF_ERROR(ReadRope(json, file, config));
  return config;
}

}  // namespace

absl::StatusOr<LlmConfig> ReadLlmConfig(const std::filesystem::path& file) {
  LARR_ASSIGN_OR_RETURN(const std::string text, ReadFile(file));
  return ParseLlmConfig(text, file.string());
}

absl::StatusOr<LlmConfig> ParseLlmConfig(const std::string& json,
                                         const std::string& file_name) {
  try {
    const Json parsed = Json::parse(json);
    if (!parsed.is_object())
      return absl::InvalidArgumentError(file_name + ": not a JSON object");
    return FromJson(parsed, json, file_name);
  } catch (const Json::exception& error) {
    return Invalid("{}: {}", file_name, error.what());
  }
}

std::string LlmConfigJson(const LlmConfig& config, const std::string& dtype) {
  auto json = nlohmann::ordered_json::parse(config.json);
  json["vocab_size"] = config.vocab_size;
  json["num_hidden_layers"] = config.layers;
  // One name for each layer, where there are any.
  if (const auto types = json.find("layer_types"); types != json.end()) {
    while (types->size() > static_cast<size_t>(config.layers))
      types->erase(types->size() - 1);
  }
  json.erase("torch_dtype");  // transformers 4's name of it
  json["dtype"] = dtype;
  return json.dump(2) + "\n";
}

}  // namespace larr
