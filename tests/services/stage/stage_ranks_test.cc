// SPDX-License-Identifier: Apache-2.0
#include "services/stage/stage_ranks.h"

#include <torch/utils.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "common/base/files.h"
#include "common/config/text_proto.h"
#include "common/llm/weights.h"
#include "tests/common/llm/golden.h"
#include "tests/services/stage/tiny_corpus.h"
#include "tests/testing/ranks.h"
#include "tests/testing/temp_dir.h"

namespace larr::stage {
namespace {

namespace fs = std::filesystem;
using config::v1::StageConfig;
using testing::Ranks;
using testing::TempDir;

TEST_CASE("Ranks share texts evenly, each text once, in their order") {
  std::mt19937_64 random(1);
  std::vector<int64_t> tokens(64);
  for (int64_t& count : tokens)
    count = 1 + static_cast<int64_t>(random() % 300);
  std::vector<size_t> all(tokens.size());
  std::iota(all.begin(), all.end(), size_t{0});
  CHECK(ShareOf(tokens, 0, 1) == all);
  std::vector<size_t> seen;
  std::vector<int64_t> sums;
  for (int rank = 0; rank < 3; ++rank) {
    const auto share = ShareOf(tokens, rank, 3);
    CHECK(std::is_sorted(share.begin(), share.end()));
    seen.insert(seen.end(), share.begin(), share.end());
    int64_t sum = 0;
    for (const size_t text : share) sum += tokens[text];
    sums.push_back(sum);
  }
  std::sort(seen.begin(), seen.end());
  CHECK(seen == all);
  const auto [least, most] = std::minmax_element(sums.begin(), sums.end());
  CHECK(*most - *least <= 20);  // of about 3200
  CHECK(ShareOf(std::vector<int64_t>{5, 9}, 2, 3).empty());
}

TEST_CASE("rank: agree", "[.]") {
  const auto group = testing::JoinRanks();
  const int rank = group->rank();
  const auto value = testing::Value(
      FromFirstRank(*group, [&]() -> absl::StatusOr<nlohmann::json> {
        REQUIRE(rank == 0);
        return nlohmann::json{
            {"third", 1.0 / 3},
            {"none", std::numeric_limits<double>::quiet_NaN()},
            {"text", "\xc3\xa9"}};
      }));
  CHECK(value["third"].get<double>() == 1.0 / 3);
  CHECK(std::isnan(value["none"].get<double>()));
  CHECK(value["text"] == "\xc3\xa9");

  const TrainingRank training = TrainingRankOf(*group);
  CHECK(training.rank == rank);
  CHECK(training.count == 2);
  CHECK(testing::Value(training.all(true)));
  CHECK_FALSE(testing::Value(training.all(rank == 0)));

  const auto checkpoint =
      testing::Value(ReadCheckpoint(testing::TinyFolder(), torch::kFloat32));
  CHECK(CheckSameStart(*group, "same", checkpoint).ok());
  const auto settings =
      CheckSameStart(*group, rank == 0 ? "seed 1" : "seed 2", checkpoint);
  CHECK(absl::IsFailedPrecondition(settings));
  CHECK_THAT(settings.ToString(),
             Catch::Contains("1 of the ranks started with other settings"));
  if (rank == 1) checkpoint.weights.layers[1].down[0][0] += 1e-3;
  const auto weights = CheckSameStart(*group, "same", checkpoint);
  CHECK_THAT(weights.ToString(), Catch::Contains("other weights than rank 0"));
}

TEST_CASE("Ranks agree on what rank 0 knows, and on what they start from") {
  const TempDir dir;
  Ranks(2, "rank: agree", dir.path()).Finish();
}

std::string Program() {
  return std::string(std::getenv("LARR_BIN_DIR")) + "/larr_stage";
}

// A corpus, a model with its special tokens, and stages that train it.
struct World {
  TempDir dir;

  World() {
    testing::WriteTinyCorpus(dir.path());
    auto config = Stage(StageConfig::PRETRAIN, "special");
    config.mutable_spec()->mutable_pretrain()->set_steps(0);
    Start(1, config).Finish();
  }
  StageConfig Stage(StageConfig::Stage stage, const std::string& name) const {
    auto config = testing::TinyStage(dir.path(), name);
    config.set_stage(stage);
    auto& spec = *config.mutable_spec();
    spec.set_threads(1);
    spec.mutable_pretrain()->set_precision(config::v1::FP32);
    spec.mutable_contrast()->set_precision(config::v1::FP32);
    if (stage == StageConfig::CONTRAST)
      (*config.mutable_inputs())["pretrain"] =
          (dir.path() / "special").string();
    return config;
  }
  // Each rank has its own file of settings.
  static void Write(const StageConfig& config, int rank) {
    const fs::path file = fs::path(config.work()) / std::to_string(rank);
    REQUIRE(WriteFileAtomically(file, ToTextProto(config)).ok());
  }
  static Ranks StartAsWritten(int count, const StageConfig& config) {
    return {count,
            std::vector<std::string>{"/bin/sh", "-c",
                                     "exec \"$0\" --config \"$1/$RANK\"",
                                     Program(), config.work()},
            config.work()};
  }
  static Ranks Start(int count, const StageConfig& config) {
    for (int rank = 0; rank < count; ++rank) Write(config, rank);
    return StartAsWritten(count, config);
  }
};

nlohmann::json Curve(const StageConfig& config) {
  std::ifstream in(fs::path(config.output()) / "training.json");
  return nlohmann::json::parse(in)["curve"];
}

size_t ProgressLines(const StageConfig& config) {
  const auto text = ReadFile(fs::path(config.work()) / "progress.jsonl");
  return text.ok() ? std::count(text->begin(), text->end(), '\n') : 0;
}

double RelativeNorm(const torch::Tensor& a, const torch::Tensor& b) {
  return ((a - b).norm() / a.norm()).item<double>();
}

// The curves to 1e-5, the weights to a norm of 1e-4.
void CheckSameTraining(const StageConfig& one, const StageConfig& several) {
  const auto a = Curve(one), b = Curve(several);
  REQUIRE(a.size() == b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    CAPTURE(a[i].dump(), b[i].dump());
    CHECK(a[i]["tokens"] == b[i]["tokens"]);
    CHECK(a[i].size() == b[i].size());
    for (const auto& [name, value] : a[i].items()) {
      if (!name.ends_with("loss")) continue;
      CHECK(b[i][name].get<double>() ==
            Approx(value.get<double>()).epsilon(1e-5).margin(1e-5));
    }
  }
  const auto before = testing::Value(ReadCheckpoint(
      fs::path(one.output()).parent_path() / "special", torch::kFloat32));
  const auto first =
      testing::Value(ReadCheckpoint(one.output(), torch::kFloat32));
  const auto second =
      testing::Value(ReadCheckpoint(several.output(), torch::kFloat32));
  const auto weights = [](const Checkpoint& checkpoint) {
    std::vector<torch::Tensor> all;
    for (const auto& [name, view] :
         NamedWeights(checkpoint.config, checkpoint.weights))
      all.push_back(view.reshape({-1}));
    return torch::cat(all);
  };
  CHECK(RelativeNorm(weights(first), weights(second)) < 1e-4);
  CHECK(RelativeNorm(weights(first), weights(before)) > 1e-3);
  if (one.stage() != StageConfig::CONTRAST) return;
  const auto projection = [](const StageConfig& config) {
    return testing::Value(ReadEmbedderHead(config.output(), 64)).projection;
  };
  CHECK(RelativeNorm(projection(one), projection(several)) < 1e-4);
}

void CheckRanksTrainAsOne(int ranks, const StageConfig& one,
                          const StageConfig& several) {
  World::Start(1, one).Finish();
  World::Start(ranks, several).Finish();
  CheckSameTraining(one, several);
}

TEST_CASE("Two processes pretrain as one does") {
  const World world;
  const auto stage = [&](const char* name, const auto& change) {
    auto config = world.Stage(StageConfig::PRETRAIN, name);
    change(*config.mutable_spec()->mutable_pretrain());
    return config;
  };
  const auto compare = [&](int ranks, const auto& change) {
    CheckRanksTrainAsOne(ranks, stage("one", change), stage("several", change));
  };
  SECTION("in passes of few tokens") {
    compare(2, [](auto& pretrain) {
      pretrain.set_steps(50);
      pretrain.set_descriptions_per_step(5);
      pretrain.set_tokens_per_pass(64);
      pretrain.set_evaluate_steps(10);
    });
  }
  SECTION("adapters above cached layers, activations computed again") {
    compare(2, [](auto& pretrain) {
      pretrain.set_frozen_layers(1);
      pretrain.set_frozen_cache_megabytes(16);
      pretrain.mutable_lora()->set_rank(4);
      pretrain.set_activation_checkpointing(true);
    });
    CHECK(fs::file_size(world.dir.path() / "several.work/frozen_cache-1") > 0);
  }
  SECTION("three of them two texts") {
    compare(3, [](auto& pretrain) { pretrain.set_descriptions_per_step(2); });
  }
}

TEST_CASE("Two processes learn from pairs as one does") {
  const World world;
  const auto stage = [&](const char* name, const auto& change) {
    auto config = world.Stage(StageConfig::CONTRAST, name);
    change(*config.mutable_spec()->mutable_contrast());
    return config;
  };
  const auto compare = [&](int ranks, const auto& change) {
    CheckRanksTrainAsOne(ranks, stage("one", change), stage("several", change));
  };
  SECTION("in chunks of few tokens") {
    compare(2, [](auto& contrast) {
      contrast.set_steps(50);
      contrast.set_frozen_layers(0);
      contrast.set_tokens_per_chunk(100);
      // At a high rate AdamW enlarges what rounding makes different: one
      // process drifts from itself as far, in chunks of another size.
      contrast.mutable_optimizer()->set_learning_rate(1e-4);
      contrast.mutable_optimizer()->set_new_parameter_learning_rate(1e-3);
      contrast.set_evaluate_steps(10);
    });
  }
  SECTION("five of them four texts") {
    compare(5, [](auto& contrast) {
      contrast.set_steps(8);
      contrast.set_pairs_per_step(2);
    });
  }
}

// Kills one of two ranks; the other must end, and both end well afterwards.
void KillOneAndGoOn(const StageConfig& config, int victim, size_t lines) {
  {
    Ranks ranks = World::Start(2, config);
    REQUIRE(
        testing::Eventually([&] { return ProgressLines(config) >= lines; }));
    ranks[victim].Kill();
    auto& other = ranks[1 - victim];
    REQUIRE(testing::Eventually([&] { return !other.Lives(); },
                                std::chrono::seconds(60)));
    CHECK(other.Wait() == 1);
    CHECK_THAT(ranks.Log(1 - victim),
               Catch::Contains("error: ") &&
                   Catch::Contains("lost the others") &&
                   Catch::Contains("start all ranks again"));
    CHECK_FALSE(fs::exists(config.output()));
  }
  Ranks alone = World::Start(1, config);
  CHECK(alone[0].Wait() == 1);
  CHECK_THAT(alone.Log(0), Catch::Contains("another number of processes"));
  World::Start(2, config).Finish();
}

TEST_CASE(
    "A rank killed by kill -9 stops the other; both end with equal bits") {
  const World world;
  const auto kind = GENERATE(StageConfig::PRETRAIN, StageConfig::CONTRAST);
  const auto stage = [&](const char* name) {
    auto config = world.Stage(kind, name);
    config.mutable_spec()->mutable_pretrain()->set_steps(200);
    config.mutable_spec()->mutable_contrast()->set_steps(200);
    return config;
  };
  const auto whole = stage("whole"), killed = stage("killed");
  World::Start(2, whole).Finish();
  const bool pretrain = kind == StageConfig::PRETRAIN;
  KillOneAndGoOn(killed, pretrain ? 1 : 0, 20);
  CHECK(Curve(whole) == Curve(killed));
  const auto model = [](const StageConfig& config) {
    return ReadFile(fs::path(config.output()) / "model.safetensors").value();
  };
  CHECK((model(whole) == model(killed)));

  // Finished, and said so to all that start again.
  const size_t lines = ProgressLines(whole);
  World::Start(2, whole).Finish();
  CHECK(ProgressLines(whole) == lines);
}

TEST_CASE("Ranks that do not belong together are refused by all") {
  const World world;
  const auto refused = [](int count, const StageConfig& config,
                          const std::string& message) {
    Ranks ranks = World::StartAsWritten(count, config);
    for (int rank = 0; rank < count; ++rank) {
      CHECK(ranks[rank].Wait() == 1);
      CHECK_THAT(ranks.Log(rank), Catch::Contains(message));
    }
  };
  auto config = world.Stage(StageConfig::PRETRAIN, "out");
  World::Write(config, 0);
  SECTION("other settings") {
    config.mutable_spec()->set_seed(8);
    World::Write(config, 1);
    refused(2, config, "other settings or inputs than rank 0");
  }
  SECTION("an artifact that one of them does not see") {
    config.set_output(world.dir.path() / "special");
    World::Write(config, 1);
    refused(2, config, "1 of 2 ranks find it");
  }
  SECTION("a stage that is one process") {
    config.set_stage(StageConfig::EMBED);
    for (const int rank : {0, 1}) World::Write(config, rank);
    refused(2, config, "WORLD_SIZE is 2, but the stage EMBED is one process");
  }
}

}  // namespace
}  // namespace larr::stage
