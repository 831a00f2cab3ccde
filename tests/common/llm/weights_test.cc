// SPDX-License-Identifier: Apache-2.0
#include "common/llm/weights.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "common/llm/weight_files.h"
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

// All tensors of a folder's files, by their names there.
Tensors TensorsIn(const std::filesystem::path& folder) {
  Tensors tensors;
  for (const auto& path : Value(FindWeightFiles(folder)))
    tensors.merge(Value(OpenWeightFile(path)).tensors);
  return tensors;
}

TEST_CASE("Every family's weights survive a write and a read") {
  for (const auto& folder : testing::GoldenFolders()) {
    INFO(folder);
    const auto config = Value(ReadLlmConfig(folder / "config.json"));
    const auto weights = Value(ReadLlmWeights(folder, config, torch::kFloat32));
    const testing::TempDir dir;
    REQUIRE(WriteLlmWeights(dir.path(), config, weights, torch::kFloat32).ok());
    const auto original = TensorsIn(folder), written = TensorsIn(dir.path());
    CHECK(written.size() == original.size());
    for (const auto& [name, tensor] : original) {
      INFO(name);
      REQUIRE(written.contains(name));
      CHECK(torch::equal(written.at(name), tensor));
    }
    const std::string json = LlmConfigJson(config, "float32");
    const auto again = Value(ParseLlmConfig(json, "written"));
    CHECK(ReadLlmWeights(dir.path(), again, torch::kFloat32).ok());
    auto fields = nlohmann::json::parse(config.json);
    fields.erase("torch_dtype");
    fields["dtype"] = "float32";
    CHECK(nlohmann::json::parse(json) == fields);
  }
}

// A figure of /proc/self/status, in bytes.
int64_t OwnMemory(const std::string& name) {
  std::ifstream status("/proc/self/status");
  std::string word;
  int64_t kib = 0;
  while (status >> word) {
    if (word == name + ":") status >> kib;
  }
  return kib * 1024;
}

TEST_CASE("Reading holds the weights once") {
  const auto folder = testing::SmolFolder();
  const auto config = Value(ReadLlmConfig(folder / "config.json"));
  std::ofstream("/proc/self/clear_refs") << 5;  // the peak starts anew
  const int64_t before = OwnMemory("VmRSS");
  const auto weights = Value(ReadLlmWeights(folder, config, torch::kBFloat16));
  const int64_t peak = OwnMemory("VmHWM") - before;
  int64_t bytes = 0;
  for (const auto& [name, view] : NamedWeights(config, weights))
    bytes += static_cast<int64_t>(view.nbytes());
  REQUIRE(bytes > 200'000'000);
  // And the largest tensor of the file, the embedding: a fifth of this model.
  CHECK(static_cast<double>(peak) <
        1.1 * static_cast<double>(bytes + weights.embedding.nbytes()));
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
