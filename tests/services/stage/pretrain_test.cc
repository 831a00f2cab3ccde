// SPDX-License-Identifier: Apache-2.0
#include "services/stage/pretrain.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "common/llm/checkpoint.h"
#include "tests/services/stage/llm_stage_process.h"
#include "tests/services/stage/tiny_corpus.h"
#include "tests/testing/make_newer.h"
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
  const auto& measures = training["held_out"]["measures"];
  for (const char* name : {"all", "content", "template", "special",
                           "keyword/POI_menu", "keyword/POI_tags/content"}) {
    INFO(name);
    CHECK(measures[name]["loss_after"].get<double>() <
          measures[name]["loss_before"].get<double>());
  }
  CHECK(measures["all"]["loss_after"].get<double>() <
        0.9 * measures["all"]["loss_before"].get<double>());
  CHECK(!measures.contains("general"));
  const auto manifest = ReadArtifact(whole.output());
  REQUIRE(manifest.ok());
  CHECK(manifest->kind() == "checkpoint");
  CHECK(manifest->parents().contains("corpus"));
}

TEST_CASE("Checkpoints of another base model are not gone on from") {
  const TempDir dir;
  testing::WriteTinyCorpus(dir.path());
  auto config = TinyStage(dir.path(), "stage");
  config.set_stage(StageConfig::PRETRAIN);
  const auto base = dir.path() / "base";
  std::filesystem::copy(config.spec().base_model(), base);
  config.mutable_spec()->set_base_model(base);
  config.mutable_spec()->mutable_pretrain()->set_steps(
      1000);  // it is killed first
  REQUIRE(KillAfter(config, 6));
  testing::MakeNewer(base / "model.safetensors");
  CHECK_THAT(std::string(RunStage(config).message()),
             Catch::Contains("remove it to start anew"));
}

TEST_CASE("Token budgets and a general corpus resume at the exact text") {
  const TempDir dir;
  testing::WriteTinyCorpus(dir.path());
  {
    testing::TinyCorpusFile general(dir.path() / "general.parquet",
                                    {{"body", ColumnType::kString}});
    for (int i = 0; i < 30; ++i)
      general.Add({std::string(1, static_cast<char>('a' + i % 26)) +
                   std::string(i % 11 * 9, 'q')});
  }
  auto whole = TinyStage(dir.path(), "whole");
  auto killed = TinyStage(dir.path(), "killed");
  for (auto* config : {&whole, &killed}) {
    config->set_stage(StageConfig::PRETRAIN);
    auto* pretrain = config->mutable_spec()->mutable_pretrain();
    pretrain->clear_descriptions_per_step();
    pretrain->set_tokens_per_step(200);
    pretrain->set_tokens_per_pass(90);
    pretrain->set_evaluate_steps(5);
    pretrain->set_general_fraction(0.3);
    pretrain->set_general_corpus((dir.path() / "general.parquet").string());
    pretrain->set_general_text_column("body");
  }
  CheckSameAfterKills(whole, killed, {"model.safetensors"});
  const auto training = Training(whole.output());
  for (const auto& step : training["curve"]) {
    const int64_t tokens = step["tokens"];
    CHECK(tokens > 200 - 64);
    CHECK(tokens <= 200);
    const int64_t number = step["step"];
    CHECK(step.contains("held_out_loss") == (number % 5 == 0 || number == 16));
  }
  CHECK(training["held_out"]["documents"] == 3);
  CHECK(training["held_out"]["measures"]["general"]["tokens"] > 10);
}

TEST_CASE("A step in several passes is the step in one") {
  const TempDir dir;
  testing::WriteTinyCorpus(dir.path());
  const auto curve = [&](const std::string& name, int32_t tokens_per_pass) {
    auto config = TinyStage(dir.path(), name);
    config.set_stage(StageConfig::PRETRAIN);
    auto* pretrain = config.mutable_spec()->mutable_pretrain();
    pretrain->set_precision(config::v1::FP32);
    pretrain->set_descriptions_per_step(8);
    pretrain->set_tokens_per_pass(tokens_per_pass);
    const auto status = RunStage(config);
    INFO(status.ToString());
    REQUIRE(status.ok());
    return Training(config.output())["curve"];
  };
  const auto one = curve("one", 0), many = curve("many", 64);
  REQUIRE(one.size() == many.size());
  for (size_t i = 0; i < one.size(); ++i) {
    CAPTURE(i);
    CHECK(many[i]["tokens"] == one[i]["tokens"]);
    for (const char* value : {"loss", "gradient_norm"}) {
      CHECK(many[i][value].get<double>() ==
            Approx(one[i][value].get<double>()).epsilon(1e-5));
    }
  }
  const auto weights = [&](const std::string& name) {
    auto checkpoint = ReadCheckpoint(dir.path() / name, torch::kFloat32);
    REQUIRE(checkpoint.ok());
    return checkpoint->weights.embedding;
  };
  const auto difference = (weights("one") - weights("many")).norm();
  CHECK((difference / weights("one").norm()).item<double>() < 1e-5);
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
