// SPDX-License-Identifier: Apache-2.0
#include "services/stage/pretrain.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "common/llm/checkpoint.h"
#include "tests/services/stage/llm_stage_process.h"
#include "tests/services/stage/tiny_corpus.h"
#include "tests/testing/temp_dir.h"

namespace larr::stage {
namespace {

using testing::TempDir;
using testing::TinyStage;

TEST_CASE("Pretraining killed by kill -9 ends with the same bits") {
  const TempDir dir;
  testing::WriteTinyCorpus(dir.path());
  auto whole = TinyStage(dir.path(), "whole");
  auto killed = TinyStage(dir.path(), "killed");
  whole.set_stage(StageConfig::PRETRAIN);
  killed.set_stage(StageConfig::PRETRAIN);
  CheckSameAfterKills(whole, killed,
                      {"model.safetensors", "tokenizer.json", "config.json"});
  const auto training = Training(whole.output());
  CHECK(training["held_out"]["descriptions"] == 4);
  CHECK(training["held_out"]["after"].get<double>() <
        0.9 * training["held_out"]["before"].get<double>());
  const auto manifest = ReadArtifact(whole.output());
  REQUIRE(manifest.ok());
  CHECK(manifest->kind() == "checkpoint");
  CHECK(manifest->parents().contains("corpus"));
}

TEST_CASE("So does one with adapters above cached layers") {
  const TempDir dir;
  testing::WriteTinyCorpus(dir.path());
  const auto stage = [&](const char* name) {
    auto config = TinyStage(dir.path(), name);
    config.set_stage(StageConfig::PRETRAIN);
    auto* pretrain = config.mutable_spec()->mutable_pretrain();
    pretrain->set_frozen_layers(1);
    pretrain->set_frozen_cache_megabytes(64);
    pretrain->mutable_lora()->set_rank(4);
    pretrain->set_activation_checkpointing(true);
    // Most kills fall into the writing of a checkpoint.
    pretrain->set_checkpoint_steps(1);
    return config;
  };
  CheckSameAfterKills(stage("whole"), stage("killed"), {"model.safetensors"});
  CHECK(fs::file_size(dir.path() / "whole.work/frozen_cache") > 10'000);
  // Adapters are merged: the folder is a model's like any other.
  const auto trained = ReadCheckpoint(dir.path() / "whole", torch::kFloat32);
  const auto base = ReadCheckpoint(
      TinyStage(dir.path(), "").spec().base_model(), torch::kBFloat16);
  REQUIRE(trained.ok());
  REQUIRE(base.ok());
  const auto same = [&](size_t layer) {
    return torch::equal(trained->weights.layers[layer].down,
                        base->weights.layers[layer].down.to(torch::kFloat32));
  };
  CHECK(same(0));
  CHECK_FALSE(same(1));
}

TEST_CASE("Without checkpoint_steps a kill costs a hundred steps, not all") {
  const TempDir dir;
  testing::WriteTinyCorpus(dir.path());
  auto config = TinyStage(dir.path(), "out");
  config.set_stage(StageConfig::PRETRAIN);
  auto* pretrain = config.mutable_spec()->mutable_pretrain();
  pretrain->set_steps(180);
  pretrain->set_descriptions_per_step(1);
  pretrain->clear_checkpoint_steps();
  REQUIRE(KillAfter(config, 110));
  const size_t before = ProgressLines(config);
  WaitForSuccess(Start(config));
  CHECK(ProgressLines(config) - before == 80);
  CHECK(Training(config.output())["curve"].size() == 180);
}

TEST_CASE("noCPT as documented, steps and nothing else, adds special tokens") {
  const TempDir dir;
  testing::WriteTinyCorpus(dir.path());
  auto config = TinyStage(dir.path(), "out");
  config.set_stage(StageConfig::PRETRAIN);
  *config.mutable_spec()->mutable_pretrain() =
      *ParseTextProto<config::v1::PretrainConfig>("steps: 0");
  const auto status = RunStage(config);
  INFO(status.ToString());
  REQUIRE(status.ok());
  const auto checkpoint = ReadCheckpoint(config.output(), torch::kFloat32);
  REQUIRE(checkpoint.ok());
  CHECK(checkpoint->config.vocab_size == 269 + 14);
  CHECK(checkpoint->tokenizer.IdOf("</weather>") == 269 + 13);
}

TEST_CASE("A general corpus is mixed in at its share") {
  const TempDir dir;
  testing::WriteTinyCorpus(dir.path());
  auto config = TinyStage(dir.path(), "out");
  config.set_stage(StageConfig::PRETRAIN);
  auto* pretrain = config.mutable_spec()->mutable_pretrain();
  pretrain->set_steps(2);
  pretrain->set_max_tokens(8);  // every description has more
  pretrain->set_general_fraction(0.25);
  pretrain->set_general_corpus((dir.path() / "general.txt").string());
  const auto missing = RunStage(config);
  CHECK_THAT(missing.ToString(), Catch::Contains("pretrain.general_corpus"));
  // Each document has three tokens.
  std::ofstream(dir.path() / "general.txt")
      << "<name>oo</name>\n\n<dish>oo</dish>\n";
  const auto status = RunStage(config);
  INFO(status.ToString());
  REQUIRE(status.ok());
  // One of a step's four texts is a document.
  const auto training = Training(config.output());
  CHECK(training["curve"].size() == 2);
  for (const auto& step : training["curve"]) CHECK(step["tokens"] == 3 * 8 + 3);
}

}  // namespace
}  // namespace larr::stage
