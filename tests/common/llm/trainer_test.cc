// SPDX-License-Identifier: Apache-2.0
#include "common/llm/trainer.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "tests/common/llm/golden.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using torch::Tensor;

// A small problem whose batches follow from the step.
struct Problem {
  Problem()
      : weight(torch::ones({3, 3}, torch::kBFloat16).requires_grad_(true)) {
    options.set_learning_rate(0.05);
    options.set_new_parameter_learning_rate(0.05);
  }
  LlmTrainer::Body Body(Optimizer& optimizer) const {
    return [this, &optimizer](int64_t step) -> absl::StatusOr<StepResult> {
      const auto target = torch::full({3, 3}, 0.1 * static_cast<double>(step));
      const auto loss = (weight.to(torch::kFloat32) - target).square().sum();
      loss.backward();
      optimizer.Accumulate();
      return StepResult{loss.item<double>(), 9, {{"extra", 1.0 * step}}};
    };
  }
  Tensor weight;
  config::v1::LlmOptimizer options;
};

struct Outcome {
  Tensor weight;
  nlohmann::json curve;
};

// Runs until the body fails at step `die_at`, then anew from the checkpoint.
Outcome RunWithDeath(const std::filesystem::path& file, int64_t die_at) {
  for (;;) {
    const Problem problem;
    Optimizer optimizer({{"w", problem.weight, false}}, problem.options, 20);
    LlmTrainer trainer({20, 3, file, "id"}, optimizer);
    REQUIRE(trainer.Restore().ok());
    const auto body = problem.Body(optimizer);
    const auto status = trainer.Run(
        [&](int64_t step) -> absl::StatusOr<StepResult> {
          if (step == std::exchange(die_at, step == die_at ? -1 : die_at))
            return absl::AbortedError("killed");
          return body(step);
        },
        [](int64_t, const StepResult&, double) {});
    if (status.ok()) return {problem.weight.detach().clone(), trainer.curve()};
    CHECK(absl::IsAborted(status));
  }
}

TEST_CASE("A resumed run ends with the same bits and the same curve") {
  const testing::TempDir dir;
  const auto whole = RunWithDeath(dir.path() / "whole", -1);
  CHECK(whole.curve.size() == 20);
  CHECK(whole.curve[19]["step"] == 20);
  CHECK(whole.curve[19]["extra"] == 19.0);
  for (const int64_t die_at : {0, 2, 3, 10, 19}) {
    const auto resumed =
        RunWithDeath(dir.path() / std::to_string(die_at), die_at);
    INFO("killed at " << die_at);
    CHECK(torch::equal(resumed.weight, whole.weight));
    CHECK(resumed.curve == whole.curve);
  }
}

TEST_CASE("Checkpoints of other runs and damaged ones are refused") {
  const testing::TempDir dir;
  RunWithDeath(dir.path() / "c", -1);
  const Problem problem;
  Optimizer optimizer({{"w", problem.weight, false}}, problem.options, 20);
  LlmTrainer other({20, 3, dir.path() / "c", "another id"}, optimizer);
  CHECK_THAT(other.Restore().ToString(), Catch::Contains("other settings"));
  std::filesystem::resize_file(dir.path() / "c", 100);
  LlmTrainer torn({20, 3, dir.path() / "c", "id"}, optimizer);
  CHECK(absl::IsDataLoss(torn.Restore()));
}

TEST_CASE("A loss that is not finite stops the run and names the step") {
  const testing::TempDir dir;
  const Problem problem;
  Optimizer optimizer({{"w", problem.weight, false}}, problem.options, 20);
  LlmTrainer trainer({20, 3, dir.path() / "c", "id"}, optimizer);
  const auto body = problem.Body(optimizer);
  const auto status = trainer.Run(
      [&](int64_t step) -> absl::StatusOr<StepResult> {
        if (step == 4)
          return StepResult{std::numeric_limits<double>::quiet_NaN(), 1, {}};
        return body(step);
      },
      [](int64_t, const StepResult&, double) {});
  CHECK(absl::IsFailedPrecondition(status));
  CHECK_THAT(status.ToString(), Catch::Contains("step 5: the loss is nan"));
  LlmTrainer again({20, 3, dir.path() / "c", "id"}, optimizer);
  REQUIRE(again.Restore().ok());
  CHECK(again.step() == 3);  // the last good one is kept
}

}  // namespace
}  // namespace larr
