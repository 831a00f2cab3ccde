// SPDX-License-Identifier: Apache-2.0
#include "common/llm/families.h"

#include <absl/status/status.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace larr {
namespace {

using Json = nlohmann::json;

LlmFamily Read(const Json& json) {
  const auto family = ReadLlmFamily(json, "config.json");
  INFO(family.status().ToString());
  REQUIRE(family.ok());
  return *family;
}
std::string Refused(const Json& json) {
  const auto status = ReadLlmFamily(json, "m/config.json").status();
  CHECK(absl::IsInvalidArgument(status));
  return status.ToString();
}

TEST_CASE("Llama has biases where the config says so") {
  const LlmFamily plain = Read({{"model_type", "llama"}});
  CHECK(!plain.packed_qkv);
  CHECK(!plain.qkv_bias);
  CHECK(!plain.output_bias);
  CHECK(!plain.norm_head);
  const LlmFamily biased =
      Read({{"model_type", "llama"}, {"attention_bias", true}});
  CHECK(biased.qkv_bias);
  CHECK(biased.output_bias);
  CHECK_THAT(Refused({{"model_type", "llama"}, {"mlp_bias", true}}),
             Catch::Contains("m/config.json: `mlp_bias`"));
}

TEST_CASE("Qwen2 has biases of q, k and v, and texts as long as its window") {
  Json json = {{"model_type", "qwen2"},
               {"num_hidden_layers", 4},
               {"sliding_window", 100},
               {"max_window_layers", 2},
               {"use_sliding_window", false}};
  const LlmFamily family = Read(json);
  CHECK(family.qkv_bias);
  CHECK(!family.output_bias);
  CHECK(family.max_positions == INT64_MAX);
  json["use_sliding_window"] = true;
  CHECK(Read(json).max_positions == 100);
  json["max_window_layers"] = 4;  // no layer slides
  CHECK(Read(json).max_positions == INT64_MAX);
  json["max_window_layers"] = 2;
  json["sliding_window"] = 0;
  CHECK_THAT(Refused(json), Catch::Contains("`sliding_window`"));
}

TEST_CASE("The models of Baichuan are told apart by their class") {
  Json json = {{"model_type", "baichuan"},
               {"architectures", Json::array({"BaichuanForCausalLM"})},
               {"max_position_embeddings", 4096}};
  CHECK(Read(json).packed_qkv);
  CHECK(Read(json).norm_head);
  CHECK(!Read(json).qkv_bias);
  json["architectures"] = Json::array({"BaiChuanForCausalLM"});
  CHECK(Read(json).packed_qkv);
  CHECK(!Read(json).norm_head);
  json["architectures"] = Json::array({"Other"});
  CHECK_THAT(Refused(json), Catch::Contains("`architectures`"));
  json.erase("architectures");
  CHECK_THAT(Refused(json), Catch::Contains("`architectures`"));
  json["architectures"] = Json::array({"BaichuanForCausalLM"});
  json.erase("max_position_embeddings");  // as the 13B models have it
  CHECK_THAT(Refused(json), Catch::Contains("ALiBi"));
}

TEST_CASE("Another family is refused with those that are supported") {
  CHECK_THAT(Refused({{"model_type", "mamba"}}),
             Catch::Contains("is 'mamba'; supported: llama, qwen2, baichuan"));
  CHECK_THAT(Refused(Json::object()), Catch::Contains("`model_type`"));
}

}  // namespace
}  // namespace larr
