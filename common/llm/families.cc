// SPDX-License-Identifier: Apache-2.0
#include "common/llm/families.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string_view>

#include "common/base/invalid_argument.h"

namespace larr {
namespace {

using Json = nlohmann::json;

absl::Status Wrong(const std::string& file, std::string_view field,
                   const std::string& what) {
  return Invalid("{}: `{}` {}", file, field, what);
}

absl::StatusOr<LlmFamily> Llama(const Json& config, const std::string& file) {
  if (config.value("mlp_bias", false))
    return Wrong(file, "mlp_bias", "is true; supported: false");
  if (config.value("rope_interleaved", false))
    return Wrong(file, "rope_interleaved", "is true; supported: false");
  LlmFamily family;
  family.qkv_bias = family.output_bias = config.value("attention_bias", false);
  return family;
}

// The layers from `max_window_layers` on see the last `sliding_window` tokens
// alone: in a text that is not longer, all.
absl::StatusOr<LlmFamily> Qwen2(const Json& config, const std::string& file) {
  LlmFamily family;
  family.qkv_bias = true;
  const bool slides = config.value("use_sliding_window", false) &&
                      config.value("max_window_layers", int64_t{0}) <
                          config.value("num_hidden_layers", int64_t{0});
  if (slides) family.max_positions = config.value("sliding_window", 4096);
  if (family.max_positions < 1)
    return Wrong(file, "sliding_window", "must be positive");
  return family;
}

absl::StatusOr<LlmFamily> Baichuan(const Json& config,
                                   const std::string& file) {
  const auto found = config.find("architectures");
  const std::string architecture = found != config.end() && found->is_array() &&
                                           found->size() == 1 &&
                                           found->front().is_string()
                                       ? found->front().get<std::string>()
                                       : "";
  LlmFamily family;
  family.packed_qkv = true;
  family.norm_head = architecture == "BaichuanForCausalLM";
  if (!family.norm_head && architecture != "BaiChuanForCausalLM") {
    return Wrong(file, "architectures",
                 "must be [\"BaichuanForCausalLM\"] (Baichuan2-7B) or "
                 "[\"BaiChuanForCausalLM\"] (Baichuan-7B)");
  }
  if (!config.contains("max_position_embeddings")) {
    return Wrong(file, "max_position_embeddings",
                 "is missing: a 13B model of Baichuan, whose positions (ALiBi) "
                 "are not supported; take a 7B model");
  }
  return family;
}

}  // namespace

absl::StatusOr<LlmFamily> ReadLlmFamily(const Json& config,
                                        const std::string& file) {
  const std::string type = config.value("model_type", "");
  if (type == "llama") return Llama(config, file);
  if (type == "qwen2") return Qwen2(config, file);
  if (type == "baichuan") return Baichuan(config, file);
  return Wrong(file, "model_type",
               fmt::format("is '{}'; supported: llama, qwen2, baichuan", type));
}

}  // namespace larr
