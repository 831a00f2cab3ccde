// SPDX-License-Identifier: Apache-2.0
#include "common/llm/weights.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <map>

#include "common/tensors/safetensors.h"
#include "tests/common/llm/golden.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using testing::Value;
using Tensors = std::map<std::string, torch::Tensor>;

Tensors TinyTensors() {
  const auto file =
      Value(SafetensorsFile::Open(testing::TinyFolder() / "model.safetensors"));
  Tensors tensors;
  for (const auto& name : file.names()) tensors[name] = *file.View(name);
  return tensors;
}

LlmConfig TinyConfig() {
  return Value(ReadLlmConfig(testing::TinyFolder() / "config.json"));
}

absl::Status ReadAgain(const Tensors& tensors) {
  const testing::TempDir dir;
  REQUIRE(WriteSafetensors(dir.path() / "model.safetensors", tensors).ok());
  return ReadLlmWeights(dir.path(), TinyConfig(), torch::kFloat32).status();
}

TEST_CASE("Weights survive a write and a read") {
  const auto config = TinyConfig();
  const auto weights =
      Value(ReadLlmWeights(testing::TinyFolder(), config, torch::kFloat32));
  const testing::TempDir dir;
  REQUIRE(WriteLlmWeights(dir.path(), config, weights, torch::kFloat32).ok());
  const auto file =
      Value(SafetensorsFile::Open(dir.path() / "model.safetensors"));
  const auto original = TinyTensors();
  CHECK(file.names().size() == original.size());
  for (const auto& [name, tensor] : original) {
    INFO(name);
    CHECK(torch::equal(Value(file.View(name)), tensor));
  }
}

TEST_CASE("Shards are read through their index") {
  const testing::TempDir dir;
  Tensors shards[2];
  std::string map;
  int i = 0;
  for (const auto& [name, tensor] : TinyTensors()) {
    const int shard = i++ % 2;
    shards[shard][name] = tensor;
    map += (map.empty() ? "\"" : ",\"") + name + "\":\"s" +
           std::to_string(shard) + ".safetensors\"";
  }
  for (int s = 0; s < 2; ++s) {
    REQUIRE(
        WriteSafetensors(
            dir.path() / ("s" + std::to_string(s) + ".safetensors"), shards[s])
            .ok());
  }
  std::ofstream(dir.path() / "model.safetensors.index.json")
      << "{\"weight_map\":{" << map << "}}";
  const auto weights =
      Value(ReadLlmWeights(dir.path(), TinyConfig(), torch::kFloat32));
  CHECK(torch::equal(weights.norm, TinyTensors()["model.norm.weight"]));
}

TEST_CASE("Wrong weights are refused by tensor") {
  const std::string down = "model.layers.1.mlp.down_proj.weight";
  auto tensors = TinyTensors();
  CHECK(ReadAgain(tensors).ok());
  tensors.erase(down);
  CHECK(absl::IsNotFound(ReadAgain(tensors)));
  CHECK_THAT(ReadAgain(tensors).ToString(), Catch::Contains(down));
  tensors = TinyTensors();
  tensors["model.layers.2.mlp.down_proj.weight"] = tensors[down];
  CHECK_THAT(ReadAgain(tensors).ToString(),
             Catch::Contains("'model.layers.2.mlp.down_proj.weight' is not"));
  tensors = TinyTensors();
  tensors[down] = tensors[down].t();
  CHECK_THAT(ReadAgain(tensors).ToString(),
             Catch::Contains(down) &&
                 Catch::Contains("[112, 64], expected [64, 112]"));
  tensors = TinyTensors();
  tensors[down][3][4] = std::nan("");
  CHECK_THAT(ReadAgain(tensors).ToString(), Catch::Contains("not finite"));
  const testing::TempDir dir;
  CHECK_THAT(ReadLlmWeights(dir.path(), TinyConfig(), torch::kFloat32)
                 .status()
                 .ToString(),
             Catch::Contains("has neither"));
}

TEST_CASE("New rows are the mean of the known ones plus small noise") {
  auto config = TinyConfig();
  auto weights =
      Value(ReadLlmWeights(testing::TinyFolder(), config, torch::kFloat32));
  const auto before = weights.embedding.clone();
  ResizeVocabulary(275, 269, 7, config, weights);
  CHECK(config.vocab_size == 275);
  CHECK(weights.embedding.size(0) == 275);
  CHECK(weights.head.size(0) == 275);
  CHECK(torch::equal(weights.embedding.slice(0, 0, 269), before));
  const auto fresh = weights.embedding.slice(0, 269);
  const auto distance = (fresh - before.mean(0)).abs().max().item<float>();
  CHECK(distance > 0);
  CHECK(distance < 0.12f * before.std().item<float>());
  CHECK(!torch::equal(fresh[0], fresh[1]));

  auto again_config = TinyConfig();
  auto again = Value(
      ReadLlmWeights(testing::TinyFolder(), again_config, torch::kFloat32));
  ResizeVocabulary(275, 269, 7, again_config, again);
  CHECK(torch::equal(again.embedding, weights.embedding));
}

}  // namespace
}  // namespace larr
