// SPDX-License-Identifier: Apache-2.0
#include "services/stage/contrast_words.h"

#include <torch/utils.h>

#include <algorithm>
#include <catch2/catch.hpp>

#include "common/llm/bag_of_words.h"
#include "common/llm/checkpoint.h"
#include "tests/services/stage/llm_stage_process.h"
#include "tests/services/stage/tiny_corpus.h"
#include "tests/testing/temp_dir.h"

namespace larr::stage {
namespace {

using config::v1::ContrastConfig;

StageConfig WordStage(const fs::path& root, const std::string& name,
                      ContrastConfig::Start start) {
  auto config = testing::TinyStage(root, name);
  config.set_stage(StageConfig::CONTRAST);
  auto& spec = *config.mutable_spec();
  spec.set_encoder(config::v1::BAG_OF_WORDS);
  spec.mutable_contrast()->set_steps(0);
  spec.mutable_contrast()->set_start(start);
  return config;
}

TEST_CASE("A bag of words is an embedder that no model was trained for") {
  const testing::TempDir dir;
  testing::WriteTinyCorpus(dir.path());
  for (const auto start :
       {ContrastConfig::PRINCIPAL_COMPONENTS, ContrastConfig::PAIRS}) {
    const auto config =
        WordStage(dir.path(), ContrastConfig::Start_Name(start), start);
    const auto status = RunStage(config);
    INFO(status.ToString());
    REQUIRE(status.ok());
    const auto embedder = BagOfWordsEmbedder::Open(config.output());
    INFO(embedder.status().ToString());
    REQUIRE(embedder.ok());
    CHECK(embedder->dim() == 128);
    const auto manifest = ReadArtifact(config.output());
    REQUIRE(manifest.ok());
    CHECK(manifest->kind() == "checkpoint");
    CHECK(manifest->embedder_fingerprint() == embedder->fingerprint());
    CHECK(manifest->parents().size() == 1);
    CHECK(manifest->parents().contains("corpus"));
    CHECK(ReadEmbedderConfig(config.output())->slots_size() == 7);
    CHECK(torch::isfinite(
              embedder->Embed(std::vector<std::string>{"<POI_menu>tea"}))
              .all()
              .item<bool>());
  }
}

TEST_CASE("Pairs tell which words belong together, components do not") {
  const testing::TempDir dir;
  testing::WriteTinyCorpus(dir.path());
  // Menu and tags of one dish are of one POI, those of two dishes never.
  const std::vector<std::string> texts = {
      testing::Slot("POI_menu", "noodles, tea"),
      testing::Slot("POI_tags", "local noodles"),
      testing::Slot("POI_tags", "local soup")};
  const auto lead = [&](ContrastConfig::Start start) {
    const auto config =
        WordStage(dir.path(), ContrastConfig::Start_Name(start), start);
    REQUIRE(RunStage(config).ok());
    // The first coordinate is the same for all texts.
    const auto v = BagOfWordsEmbedder::Open(config.output())
                       ->Embed(texts)
                       .narrow(1, 1, 127);
    const auto cosine = [&](int64_t a, int64_t b) {
      return (v[a].dot(v[b]) / (v[a].norm() * v[b].norm())).item<double>();
    };
    return cosine(0, 1) - cosine(0, 2);
  };
  const double pairs = lead(ContrastConfig::PAIRS);
  CHECK(pairs > 0);
  CHECK(pairs > lead(ContrastConfig::PRINCIPAL_COMPONENTS));
}

TEST_CASE("Words learn from the pairs that a language model learns from") {
  const testing::TempDir dir;
  testing::WriteTinyCorpus(dir.path());
  const auto components = ContrastConfig::PRINCIPAL_COMPONENTS;
  const auto plain = WordStage(dir.path(), "plain", components);
  auto tuned = WordStage(dir.path(), "tuned", components);
  tuned.mutable_spec()->mutable_contrast()->set_steps(30);
  for (const auto& stage : {plain, tuned}) {
    const auto status = RunStage(stage);
    INFO(status.ToString());
    REQUIRE(status.ok());
  }
  CHECK(BagOfWordsEmbedder::Open(tuned.output())->fingerprint() !=
        BagOfWordsEmbedder::Open(plain.output())->fingerprint());
  const auto training = Training(tuned.output());
  CHECK(training["steps"] == 30);
  CHECK(training["curve"].back()["loss"].get<double>() <
        training["curve"].front()["loss"].get<double>());
  CHECK(training["held_out_recall"]["after"].contains("poi_poi"));
  CHECK(Training(plain.output())["steps"] == 0);
}

TEST_CASE("Words go on at a checkpoint, to the same bits") {
  const testing::TempDir dir;
  testing::WriteTinyCorpus(dir.path());
  auto stage =
      WordStage(dir.path(), "resumed", ContrastConfig::PRINCIPAL_COMPONENTS);
  auto& contrast = *stage.mutable_spec()->mutable_contrast();
  contrast.set_steps(16);
  contrast.set_checkpoint_steps(6);
  REQUIRE(RunStage(stage).ok());
  const fs::path output = stage.output();
  const std::string whole = Bytes(output / "projection.safetensors");
  // As a kill after step 12 leaves it, and after step 6.
  for (const int checkpoints : {1, 2}) {
    fs::remove_all(output);
    std::vector<fs::path> kept;
    for (const auto& entry :
         fs::directory_iterator(fs::path(stage.work()) / "checkpoints"))
      kept.push_back(entry.path());
    std::sort(kept.begin(), kept.end());
    INFO("checkpoints: " << kept.size());
    REQUIRE(kept.size() >= 2);
    for (int i = 0; i < checkpoints; ++i) fs::remove_all(kept.end()[-1 - i]);
    const auto status = RunStage(stage);
    INFO(status.ToString());
    REQUIRE(status.ok());
    CHECK((Bytes(output / "projection.safetensors") == whole));
  }
}

TEST_CASE("Words without a pair to fit are refused, not projected at random") {
  const testing::TempDir dir;
  testing::WriteTinyCorpus(dir.path());
  auto config = WordStage(dir.path(), "none", ContrastConfig::PAIRS);
  auto& contrast = *config.mutable_spec()->mutable_contrast();
  contrast.set_user_user_weight(0);
  contrast.set_poi_poi_weight(0);
  contrast.set_user_poi_weight(0);
  const auto status = RunStage(config);
  CHECK(absl::IsInvalidArgument(status));
  CHECK_THAT(std::string(status.message()),
             Catch::Contains("`contrast.user_user_weight`"));
}

}  // namespace
}  // namespace larr::stage
