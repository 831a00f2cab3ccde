// SPDX-License-Identifier: Apache-2.0
#include "common/llm/trainer.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

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

void Ignore(int64_t, const StepResult&, double) {}

struct Outcome {
  Tensor weight;
  nlohmann::json curve;
};

// Runs until the body fails at step `die_at`, then anew from the checkpoint.
Outcome RunWithDeath(const std::filesystem::path& folder, int64_t die_at) {
  for (;;) {
    const Problem problem;
    Optimizer optimizer({{"w", problem.weight, false}}, problem.options, 20);
    LlmTrainer trainer({20, 3, folder, "id"}, optimizer);
    REQUIRE(trainer.Restore().ok());
    const auto body = problem.Body(optimizer);
    const auto status = trainer.Run(
        [&](int64_t step) -> absl::StatusOr<StepResult> {
          if (step == std::exchange(die_at, step == die_at ? -1 : die_at))
            return absl::AbortedError("killed");
          return body(step);
        },
        Ignore);
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

TEST_CASE("Checkpoints of other runs are refused") {
  const testing::TempDir dir;
  RunWithDeath(dir.path() / "c", -1);
  const Problem problem;
  Optimizer optimizer({{"w", problem.weight, false}}, problem.options, 20);
  LlmTrainer other({20, 3, dir.path() / "c", "another id"}, optimizer);
  CHECK_THAT(other.Restore().ToString(), Catch::Contains("other settings"));
}

TEST_CASE("A damaged checkpoint is passed over, and made anew") {
  const testing::TempDir dir;
  const auto folder = dir.path() / "c";
  const auto whole = RunWithDeath(folder, -1);
  const auto file = [&](const char* step) {
    return folder / step / "rank-0-of-1.safetensors";
  };
  // Torn, or with one bit of a tensor turned.
  const bool torn = GENERATE(true, false);
  if (torn) {
    std::filesystem::resize_file(file("step-00000020"), 100);
  } else {
    std::fstream out(file("step-00000020"),
                     std::ios::in | std::ios::out | std::ios::binary);
    out.seekp(-3, std::ios::end);
    const int byte = out.peek();
    out.seekp(-3, std::ios::end);
    out.put(static_cast<char>(byte ^ 4));
  }
  {
    const Problem problem;
    Optimizer optimizer({{"w", problem.weight, false}}, problem.options, 20);
    LlmTrainer trainer({20, 3, folder, "id"}, optimizer);
    REQUIRE(trainer.Restore().ok());
    CHECK(trainer.step() == 18);
    REQUIRE(trainer.Run(problem.Body(optimizer), Ignore).ok());
    CHECK(torch::equal(problem.weight, whole.weight));
    CHECK(trainer.curve() == whole.curve);
    LlmTrainer again({20, 3, folder, "id"}, optimizer);
    REQUIRE(again.Restore().ok());
    CHECK(again.step() == 20);
  }
  // Never anew by itself.
  const Problem problem;
  Optimizer optimizer({{"w", problem.weight, false}}, problem.options, 20);
  LlmTrainer lost({20, 3, folder, "id"}, optimizer);
  std::filesystem::resize_file(file("step-00000018"), 100);
  std::filesystem::resize_file(file("step-00000020"), 100);
  const auto status = lost.Restore();
  CHECK(absl::IsDataLoss(status));
  CHECK_THAT(status.ToString(), Catch::Contains("remove the folder"));
}

TEST_CASE("The best checkpoint is kept and marked beyond the newest") {
  const testing::TempDir dir;
  const auto options = [&](int64_t steps) {
    LlmTrainerOptions options{steps, 3, dir.path() / "c", "id"};
    options.evaluate_steps = 5;
    return options;
  };
  const Problem problem;
  Optimizer optimizer({{"w", problem.weight, false}}, problem.options, 20);
  std::vector<int64_t> evaluated;
  const auto evaluate = [&](int64_t step) {
    evaluated.push_back(step);
    return std::map<std::string, double>{
        {"held_out_loss", std::abs(static_cast<double>(step) - 9)},
        {"recall", 0.5}};
  };
  LlmTrainer trainer(options(20), optimizer);
  REQUIRE(trainer.Run(problem.Body(optimizer), Ignore, evaluate).ok());
  CHECK(evaluated == std::vector<int64_t>{5, 10, 15, 20});
  CHECK(trainer.best() == nlohmann::json({{"step", 10}, {"loss", 1.0}}));
  CHECK(trainer.curve()[14]["held_out_loss"] == 6.0);
  CHECK(trainer.curve()[14]["recall"] == 0.5);
  CHECK_FALSE(trainer.curve()[13].contains("held_out_loss"));
  // Step 10 is no multiple of 3: it was written because it was the best.
  CHECK(*TrainingCheckpoints(dir.path() / "c", {}).Steps() ==
        std::vector<int64_t>{20, 18, 10});
  LlmTrainer again(options(20), optimizer);
  REQUIRE(again.Restore().ok());
  CHECK(again.best() == trainer.best());
  CHECK(again.curve() == trainer.curve());
}

// Runs until step 4, whose gradient or loss is `bad`.
absl::Status RunToBadStep(const std::filesystem::path& folder,
                          const Problem& problem, Optimizer& optimizer,
                          bool bad_loss) {
  LlmTrainer trainer({20, 3, folder, "id"}, optimizer);
  const auto body = problem.Body(optimizer);
  return trainer.Run(
      [&](int64_t step) -> absl::StatusOr<StepResult> {
        auto result = body(step);
        result->batch = "pages 8 and 9";
        if (step != 4) return result;
        const double bad = std::numeric_limits<double>::quiet_NaN();
        if (bad_loss) result->loss = bad;
        (problem.weight.sum() * bad).backward();
        optimizer.Accumulate();
        return result;
      },
      Ignore);
}

TEST_CASE("What is not finite stops the run, names step and batch") {
  const testing::TempDir dir;
  const bool bad_loss = GENERATE(true, false);
  const Problem problem;
  Optimizer optimizer({{"w", problem.weight, false}}, problem.options, 20);
  const auto status =
      RunToBadStep(dir.path() / "c", problem, optimizer, bad_loss);
  CHECK(absl::IsFailedPrecondition(status));
  CHECK_THAT(status.ToString(),
             Catch::Contains(bad_loss ? "step 5: the loss is nan"
                                      : "step 5: the gradient of 'w' is not "
                                        "finite") &&
                 Catch::Contains("on pages 8 and 9") &&
                 Catch::Contains("the checkpoint of step 3 is kept in") &&
                 Catch::Contains("a lower `optimizer.learning_rate`"));
  LlmTrainer again({20, 3, dir.path() / "c", "id"}, optimizer);
  REQUIRE(again.Restore().ok());
  CHECK(again.step() == 3);  // the last good one is kept
}

}  // namespace
}  // namespace larr
