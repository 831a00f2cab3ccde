// SPDX-License-Identifier: Apache-2.0
#include "services/stage/llm_stage.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "tests/services/stage/llm_stage_process.h"
#include "tests/services/stage/tiny_corpus.h"
#include "tests/testing/temp_dir.h"

namespace larr::stage {
namespace {

using testing::TempDir;
using testing::TinyStage;

// What Start() starts: this program again, with a stage to run.
TEST_CASE("A stage in a process of its own", "[.child]") {
  const auto config = LoadTextProto<StageConfig>(std::getenv(kVariable));
  REQUIRE(config.ok());
  const auto status = RunStage(*config);
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
  refused(StageConfig::PRETRAIN, "`pretrain.descriptions_per_step` is 0",
          [](Spec& s) { s.mutable_pretrain()->set_descriptions_per_step(0); });
  refused(StageConfig::PRETRAIN, "`pretrain.frozen_layers` is 3",
          [](Spec& s) { s.mutable_pretrain()->set_frozen_layers(3); });
  refused(StageConfig::PRETRAIN, "`contrast.frozen_layers` is 3",
          [](Spec& s) { s.mutable_contrast()->set_frozen_layers(3); });
  refused(StageConfig::CONTRAST, "`contrast.frozen_layers` is 3",
          [](Spec& s) { s.mutable_contrast()->set_frozen_layers(3); });
  refused(StageConfig::PRETRAIN, "`contrast.layers` is 3",
          [](Spec& s) { s.mutable_contrast()->set_layers(3); });
  refused(StageConfig::CONTRAST, "in [0, 1], `contrast.layers`", [](Spec& s) {
    s.mutable_contrast()->set_layers(1);
    s.mutable_contrast()->set_frozen_layers(2);
  });
  refused(StageConfig::CONTRAST, "`contrast.temperature` is 0",
          [](Spec& s) { s.mutable_contrast()->set_temperature(0); });
}

TEST_CASE("A loss that is not finite ends a stage at a named batch") {
  const TempDir dir;
  testing::WriteTinyCorpus(dir.path());
  auto config = TinyStage(dir.path(), "out");
  config.set_stage(StageConfig::PRETRAIN);
  ProcessGroup alone;
  StageContext context{config, ProgressWriter(config.work()), &alone};
  LlmTrainerOptions options = MakeTrainerOptions(context, 3, 1, 2, "");
  auto weight = torch::ones({2}).requires_grad_(true);
  Optimizer optimizer({{"w", weight, false}},
                      config.spec().pretrain().optimizer(), 3);
  LlmTrainer trainer(options, optimizer);
  const auto status = RunTrainer(
      context, 3,
      [&](int64_t step) -> absl::StatusOr<StepResult> {
        const auto loss = weight.sum() * (step == 2 ? NAN : 1.0);
        loss.backward();
        optimizer.Accumulate();
        return StepResult{loss.item<double>(), 1, {}, {}};
      },
      trainer);
  CHECK_THAT(status.ToString(),
             Catch::Contains("step 3: the loss is nan on the batch that seed 7 "
                             "draws for it; the checkpoint of step 2"));
  CHECK(fs::exists(options.checkpoints / "step-00000002"));
}

}  // namespace
}  // namespace larr::stage
