// SPDX-License-Identifier: Apache-2.0
#include "services/stage/best_epoch.h"

#include <torch/utils.h>

#include <catch2/catch.hpp>
#include <vector>

#include "common/ctr/trainer.h"
#include "tests/common/ctr/golden.h"
#include "tests/testing/temp_dir.h"

namespace larr::stage {
namespace {

// Sets every number of the model.
void Fill(CtrModel& model, double value) {
  for (auto& [name, tensor] : NamedTensors(model)) tensor.fill_(value);
}

double AnyNumber(const CtrModel& model) {
  return NamedTensors(model).at("ple.tower0_logit_bias")[0].item<double>();
}

TEST_CASE("training ends when the loss was not lowered so many times") {
  const auto model = NewCtrModel(testing::TinyPleDescription(), 1).value();
  BestEpoch best(*model, 10, 2);
  CHECK_FALSE(best.ended());
  CHECK(best.best() == 0);
  const std::vector<double> losses = {0.9, 0.7, 0.8, 0.6, 0.6, 0.65};
  for (size_t epoch = 0; epoch < losses.size(); ++epoch) {
    REQUIRE_FALSE(best.ended());
    Fill(*model, static_cast<double>(epoch) + 1);
    best.Add(losses[epoch]);
  }
  CHECK(best.ended());  // An equal loss is none that is lower.
  CHECK(best.best() == 4);
  CHECK(best.losses() == losses);
  best.Restore();
  CHECK(AnyNumber(*model) == 4);
}

TEST_CASE("the state of a checkpoint is all of it") {
  const testing::TempDir folder;
  const auto description = testing::TinyPleDescription();
  config::v1::AlignConfig config;
  *config.mutable_architecture() = description.architecture();
  config = CompleteAlignConfig(config).value();
  const auto model = NewCtrModel(description, 1).value();
  BestEpoch best(*model, 3, 1);
  Fill(*model, 5);
  best.Add(0.5);
  Fill(*model, 6);
  const auto path = folder.path() / "checkpoint";
  CtrTrainer trainer(*model, config, 1);
  REQUIRE(trainer.Save(path, best.State()).ok());

  const auto other = NewCtrModel(description, 2).value();
  BestEpoch again(*other, 3, 1);
  CtrTrainer resumed(*other, config, 1);
  REQUIRE(resumed.Restore(path, again.State()).ok());
  CHECK(AnyNumber(*other) == 6);
  again.Add(0.7);
  CHECK(again.ended());
  CHECK(again.losses() == std::vector<double>{0.5, 0.7});
  again.Restore();
  CHECK(AnyNumber(*other) == 5);
}

}  // namespace
}  // namespace larr::stage
