// SPDX-License-Identifier: Apache-2.0
#include "common/llm/llm_config.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/common/llm/golden.h"

namespace larr {
namespace {

nlohmann::json Base() {
  return {{"model_type", "llama"},      {"vocab_size", 100},
          {"hidden_size", 64},          {"intermediate_size", 96},
          {"num_hidden_layers", 2},     {"num_attention_heads", 4},
          {"num_key_value_heads", 2},   {"max_position_embeddings", 512},
          {"rms_norm_eps", 1e-5},       {"rope_theta", 5000.0},
          {"tie_word_embeddings", true}};
}

TEST_CASE("A config of the Llama family is read") {
  const auto config =
      testing::Value(ParseLlmConfig(Base().dump(), "config.json"));
  CHECK(config.vocab_size == 100);
  CHECK(config.head_dim == 16);
  CHECK(config.kv_heads == 2);
  CHECK(config.rope_theta == 5000.0);
  CHECK(config.norm_epsilon == 1e-5);
  CHECK(config.tied_head);

  auto newer = Base();  // as transformers 5 writes it
  newer.erase("rope_theta");
  newer["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 7.0}};
  CHECK(testing::Value(ParseLlmConfig(newer.dump(), "x")).rope_theta == 7.0);
}

TEST_CASE("RoPE scaling is read as either transformers writes it") {
  auto json = Base();
  json["rope_scaling"] = {{"rope_type", "llama3"},
                          {"factor", 8.0},
                          {"low_freq_factor", 1.0},
                          {"high_freq_factor", 4.0},
                          {"original_max_position_embeddings", 8192}};
  auto config = testing::Value(ParseLlmConfig(json.dump(), "x"));
  CHECK(config.rope_scaling.kind == RopeScaling::Kind::kLlama3);
  CHECK(config.rope_scaling.factor == 8);
  CHECK(config.rope_scaling.high == 4);
  CHECK(config.rope_scaling.trained == 8192);
  CHECK(config.rope_theta == 5000);
  json["rope_scaling"]["high_freq_factor"] = 0.5;
  CHECK_THAT(ParseLlmConfig(json.dump(), "x").status().ToString(),
             Catch::Contains("`high_freq_factor` must be greater"));
  json["rope_scaling"].erase("low_freq_factor");
  CHECK_THAT(ParseLlmConfig(json.dump(), "x").status().ToString(),
             Catch::Contains("`low_freq_factor` is missing"));
  json["rope_scaling"] = {{"type", "linear"}, {"factor", 2.0}};
  config = testing::Value(ParseLlmConfig(json.dump(), "x"));
  CHECK(config.rope_scaling.kind == RopeScaling::Kind::kLinear);
}

TEST_CASE("Positions end where a window or our tables do") {
  auto json = Base();
  json["max_position_embeddings"] = 131072;
  CHECK(testing::Value(ParseLlmConfig(json.dump(), "x")).max_positions ==
        16384);
  json["model_type"] = "qwen2";
  json["use_sliding_window"] = true;
  json["sliding_window"] = 300;
  CHECK(testing::Value(ParseLlmConfig(json.dump(), "x")).max_positions == 300);
}

TEST_CASE("A config is written back with its own fields") {
  auto json = Base();
  json["bos_token_id"] = 1;
  json["torch_dtype"] = "float16";
  auto config = testing::Value(ParseLlmConfig(json.dump(), "x"));
  config.vocab_size = 120;
  const auto back = nlohmann::json::parse(LlmConfigJson(config, "bfloat16"));
  CHECK(back["bos_token_id"] == 1);
  CHECK(back["vocab_size"] == 120);
  CHECK(back["dtype"] == "bfloat16");
  CHECK(!back.contains("torch_dtype"));
}

TEST_CASE("A config of fewer layers names the kinds of those alone") {
  auto json = Base();
  REQUIRE(json["num_hidden_layers"] > 1);
  json["layer_types"] = {"full_attention", "full_attention", "other"};
  auto config = testing::Value(ParseLlmConfig(json.dump(), "x"));
  config.layers = 1;
  const auto back = nlohmann::json::parse(LlmConfigJson(config, "bfloat16"));
  CHECK(back["num_hidden_layers"] == 1);
  CHECK(back["layer_types"] == nlohmann::json({"full_attention"}));
}

TEST_CASE("What the decoder does not compute is refused by field") {
  const auto refused = [](const char* field, const nlohmann::json& value) {
    auto json = Base();
    json[field] = value;
    const auto status = ParseLlmConfig(json.dump(), "m/config.json").status();
    INFO(field << ": " << status.ToString());
    CHECK(absl::IsInvalidArgument(status));
    CHECK_THAT(status.ToString(),
               Catch::Contains("m/config.json: `" + std::string(field) + "`"));
  };
  refused("model_type", "mamba");
  refused("hidden_act", "gelu");
  refused("mlp_bias", true);
  refused("rope_scaling", {{"rope_type", "yarn"}, {"factor", 4}});
  refused("rope_parameters", {{"rope_type", "dynamic"}, {"factor", 4}});
  refused("quantization_config", {{"bits", 4}});
  refused("num_key_value_heads", 3);
  refused("hidden_size", -1);
  refused("head_dim", 15);
  refused("head_dim", 258);
  refused("vocab_size", "many");
  auto wide = Base();
  wide["hidden_size"] = 4 * 512;  // of four heads
  CHECK_THAT(ParseLlmConfig(wide.dump(), "x").status().ToString(),
             Catch::Contains("`head_dim` is 512; supported: even numbers up "
                             "to 256"));
  auto missing = Base();
  missing.erase("intermediate_size");
  CHECK_THAT(ParseLlmConfig(missing.dump(), "x").status().ToString(),
             Catch::Contains("`intermediate_size` is missing"));
  CHECK(absl::IsInvalidArgument(ParseLlmConfig("{", "x").status()));
  CHECK(absl::IsNotFound(ReadLlmConfig("/nowhere/config.json").status()));
}

}  // namespace
}  // namespace larr
