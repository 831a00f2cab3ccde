// SPDX-License-Identifier: Apache-2.0
#include "services/stage/contrast_training.h"

#include <torch/utils.h>

#include <catch2/catch.hpp>

#include "tests/services/stage/llm_stage_process.h"
#include "tests/services/stage/pair_world.h"
#include "tests/testing/temp_dir.h"

namespace larr::stage {
namespace {

// States that are looked up by the first letter of a text's first word.
TextModel Letters(const torch::Tensor& table) {
  const auto read = [](std::span<const std::string> texts)
      -> absl::StatusOr<std::vector<TokenIds>> {
    std::vector<TokenIds> ids;
    for (const std::string& text : texts)
      ids.push_back({text[text.find('>') + 1] % 10});
    return ids;
  };
  const auto states = [table](std::span<const TokenIds> texts) {
    std::vector<int64_t> rows;
    for (const TokenIds& text : texts) rows.push_back(text[0]);
    return table.index_select(0, torch::tensor(rows, torch::kInt64));
  };
  return {table.size(1), read, states};
}

struct World {
  testing::TempDir dir;
  StageConfig stage;
  ProcessGroup alone;
  torch::Tensor table;

  World() {
    testing::WriteTinyCorpus(dir.path());
    stage = testing::TinyStage(dir.path(), "out");
    stage.set_stage(StageConfig::CONTRAST);
    stage.mutable_spec()->set_encoder(config::v1::BAG_OF_WORDS);
    torch::manual_seed(2);
    table = torch::randn({10, 16});
  }
  absl::StatusOr<TrainedProjection> Train(std::vector<TrainedTensor> trained) {
    StageContext context{stage, ProgressWriter(stage.work()), &alone};
    const auto config =
        testing::Value(CompleteContrastConfig(stage.spec().contrast()));
    const auto sampler = testing::Value(
        ContrastSampler::Create(PairWorld::Dataset(), config, DataOf(40), 1));
    return TrainOnPairs(context, "a run", config, sampler, Letters(table),
                        std::move(trained));
  }
};

TEST_CASE("Whatever makes states learns beside its projection, or does not") {
  World fixed;
  const auto alone = testing::Value(fixed.Train({}));
  CHECK(alone.projection.sizes() == torch::IntArrayRef({kEmbeddingDim, 16}));
  const auto steps = static_cast<size_t>(fixed.stage.spec().contrast().steps());
  CHECK(alone.report["steps"] == steps);
  CHECK(alone.report["curve"].size() == steps);

  World learning;
  const auto before = learning.table.clone();
  learning.table.requires_grad_(true);
  const auto both =
      testing::Value(learning.Train({{"table", learning.table, true}}));
  CHECK_FALSE(torch::equal(learning.table.detach(), before));
  CHECK(torch::equal(fixed.table, before));
  // The same start, other steps.
  const auto& curve = both.report["curve"];
  CHECK(curve.front()["loss"] == alone.report["curve"].front()["loss"]);
  CHECK(curve.back()["loss"] != alone.report["curve"].back()["loss"]);
}

TEST_CASE("Steps without a pair to learn from are refused") {
  World world;
  auto& contrast = *world.stage.mutable_spec()->mutable_contrast();
  contrast.set_user_user_weight(0);
  contrast.set_poi_poi_weight(0);
  contrast.set_user_poi_weight(0);
  contrast.set_steps(0);
  CHECK(testing::Value(world.Train({})).report["steps"] == 0);
  contrast.set_user_user_weight(1);
  contrast.set_steps(1);
  StageContext context{world.stage, ProgressWriter(), &world.alone};
  const auto config =
      testing::Value(CompleteContrastConfig(world.stage.spec().contrast()));
  const auto sampler = testing::Value(
      ContrastSampler::Create(PairWorld::Dataset(), config, {}, 1));
  const auto status =
      TrainOnPairs(context, "a run", config, sampler, Letters(world.table), {})
          .status();
  CHECK(absl::IsInvalidArgument(status));
  CHECK_THAT(status.ToString(), Catch::Contains("no pair to learn from"));
}

}  // namespace
}  // namespace larr::stage
