// SPDX-License-Identifier: Apache-2.0
//
// The stages that train the language model, on the tiny model, as processes
// that are killed.
#include "services/stage/llm_stage.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "common/llm/embedder.h"
#include "services/stage/contrast.h"
#include "services/stage/pretrain.h"
#include "tests/services/stage/tiny_corpus.h"
#include "tests/testing/temp_dir.h"

extern char** environ;

namespace larr::stage {
namespace {

namespace fs = std::filesystem;
using config::v1::StageConfig;
using testing::TempDir;
using testing::TinyStage;

constexpr char kVariable[] = "LARR_TEST_STAGE_CONFIG";

absl::Status RunStage(const StageConfig& config) {
  StageContext context{config, ProgressWriter(config.work())};
  return config.stage() == StageConfig::PRETRAIN ? RunPretrain(context)
                                                 : RunContrast(context);
}

// What Start() starts: this program again, with a stage to run.
TEST_CASE("A stage in a process of its own", "[.child]") {
  const auto config = LoadTextProto<StageConfig>(std::getenv(kVariable));
  REQUIRE(config.ok());
  const auto status = RunStage(*config);
  INFO(status.ToString());
  REQUIRE(status.ok());
}

pid_t Start(const StageConfig& config) {
  const auto file = fs::path(config.work()) / "config.textproto";
  REQUIRE(WriteFileAtomically(file, ToTextProto(config)).ok());
  setenv(kVariable, file.c_str(), 1);
  char program[] = "/proc/self/exe", tag[] = "[.child]";
  char* arguments[] = {program, tag, nullptr};
  pid_t child = 0;
  REQUIRE(posix_spawn(&child, fs::read_symlink(program).c_str(), nullptr,
                      nullptr, arguments, environ) == 0);
  return child;
}

void WaitForSuccess(pid_t child) {
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  REQUIRE(WEXITSTATUS(status) == 0);
}

size_t ProgressLines(const StageConfig& config) {
  std::ifstream in(fs::path(config.work()) / "progress.jsonl");
  size_t lines = 0;
  for (std::string line; std::getline(in, line);) ++lines;
  return lines;
}

// Kills the child as soon as it has reported `lines` more steps.
bool KillAfter(const StageConfig& config, size_t lines) {
  const size_t until = ProgressLines(config) + lines;
  const pid_t child = Start(config);
  int status = 0;
  while (ProgressLines(config) < until) {
    if (waitpid(child, &status, WNOHANG) == child) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  kill(child, SIGKILL);
  REQUIRE(waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status);
}

nlohmann::json Training(const fs::path& artifact) {
  std::ifstream in(artifact / "training.json");
  return nlohmann::json::parse(in);
}

std::string Bytes(const fs::path& file) {
  const auto bytes = ReadFile(file);
  INFO(bytes.status().ToString());
  REQUIRE(bytes.ok());
  return *bytes;
}

void CheckSameAfterKills(StageConfig whole, StageConfig killed,
                         const std::vector<std::string>& files) {
  WaitForSuccess(Start(whole));
  int kills = 0;
  for (const size_t lines : {1, 6}) kills += KillAfter(killed, lines);
  CHECK(kills >= 1);  // the machine may have been faster than the second one
  WaitForSuccess(Start(killed));
  const fs::path a = whole.output(), b = killed.output();
  CHECK(Training(a)["curve"] == Training(b)["curve"]);
  CHECK(Training(a)["curve"].size() == 16);
  for (const auto& file : files) {
    INFO(file);
    CHECK((Bytes(a / file) == Bytes(b / file)));
  }
}

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

TEST_CASE("Contrastive training killed by kill -9 ends with the same bits") {
  const TempDir dir;
  testing::WriteTinyCorpus(dir.path());
  auto pretrain = TinyStage(dir.path(), "pretrain");
  pretrain.set_stage(StageConfig::PRETRAIN);
  pretrain.mutable_spec()->mutable_pretrain()->set_steps(0);
  const auto status = RunStage(pretrain);
  INFO(status.ToString());
  REQUIRE(status.ok());

  const auto stage = [&](const char* name) {
    auto config = TinyStage(dir.path(), name);
    config.set_stage(StageConfig::CONTRAST);
    (*config.mutable_inputs())["pretrain"] = pretrain.output();
    return config;
  };
  const auto whole = stage("whole"), killed = stage("killed");
  CheckSameAfterKills(
      whole, killed,
      {"model.safetensors", "projection.safetensors", "larr.json"});

  const auto curve = Training(whole.output())["curve"];
  CHECK(curve.back()["poi_poi_accuracy"].get<double>() >
        curve.front()["poi_poi_accuracy"].get<double>());
  CHECK(curve.back()["loss"].get<double>() <
        curve.front()["loss"].get<double>());

  // What comes out is an embedder, under the manifest's fingerprint.
  auto embedder = Embedder::Open(whole.output(), {});
  INFO(embedder.status().ToString());
  REQUIRE(embedder.ok());
  const auto manifest = ReadArtifact(whole.output());
  REQUIRE(manifest.ok());
  CHECK(manifest->embedder_fingerprint() == embedder->fingerprint());
  CHECK(manifest->parents().contains("pretrain"));
}

TEST_CASE("No pretraining step still adds the special tokens") {
  const TempDir dir;
  testing::WriteTinyCorpus(dir.path());
  auto config = TinyStage(dir.path(), "out");
  config.set_stage(StageConfig::PRETRAIN);
  config.mutable_spec()->mutable_pretrain()->set_steps(0);
  REQUIRE(RunStage(config).ok());
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
  pretrain->set_general_fraction(0.5);
  pretrain->set_general_corpus((dir.path() / "general.txt").string());
  const auto missing = RunStage(config);
  CHECK_THAT(missing.ToString(), Catch::Contains("pretrain.general_corpus"));
  std::ofstream(dir.path() / "general.txt")
      << "water boils\n\nice melts at zero\n";
  const auto status = RunStage(config);
  INFO(status.ToString());
  REQUIRE(status.ok());
}

TEST_CASE("Settings that make no sense are refused by field") {
  const TempDir dir;
  testing::WriteTinyCorpus(dir.path());
  const auto refused = [&](StageConfig::Stage stage, const std::string& field,
                           const auto& change) {
    auto config = TinyStage(dir.path(), "out");
    config.set_stage(stage);
    (*config.mutable_inputs())["pretrain"] = config.spec().base_model();
    change(*config.mutable_spec());
    const auto status = RunStage(config);
    INFO(status.ToString());
    CHECK(absl::IsInvalidArgument(status));
    CHECK_THAT(status.ToString(), Catch::Contains(field));
  };
  using Spec = config::v1::TrainingSpec;
  refused(StageConfig::PRETRAIN, "pretrain.descriptions_per_step is 0",
          [](Spec& s) { s.mutable_pretrain()->set_descriptions_per_step(0); });
  refused(StageConfig::PRETRAIN, "pretrain.optimizer.learning_rate",
          [](Spec& s) { s.mutable_pretrain()->clear_optimizer(); });
  refused(StageConfig::PRETRAIN, "pretrain.frozen_layers is 3",
          [](Spec& s) { s.mutable_pretrain()->set_frozen_layers(3); });
  refused(StageConfig::CONTRAST, "contrast.temperature is 0",
          [](Spec& s) { s.mutable_contrast()->set_temperature(0); });
  refused(StageConfig::CONTRAST, "contrast.max_tokens is 1",
          [](Spec& s) { s.mutable_contrast()->set_max_tokens(1); });
  refused(StageConfig::CONTRAST, "contrast.keyword_dropout is 1",
          [](Spec& s) { s.mutable_contrast()->set_keyword_dropout(1); });
}

}  // namespace
}  // namespace larr::stage
