// SPDX-License-Identifier: Apache-2.0
#include "common/llm/optimizer.h"

#include <torch/optim.h>
#include <torch/utils.h>

#include <catch2/catch.hpp>
#include <cmath>

#include "tests/common/llm/golden.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using torch::Tensor;

config::v1::LlmOptimizer Options() {
  config::v1::LlmOptimizer options;
  options.set_learning_rate(0.01);
  options.set_new_parameter_learning_rate(0.1);
  options.set_warmup_steps(2);
  options.set_weight_decay(0.1);
  return options;
}

TEST_CASE("Steps are those of torch's AdamW") {
  torch::manual_seed(1);
  const Tensor ours = torch::randn({3, 4}).requires_grad_(true);
  const Tensor theirs = ours.detach().clone().requires_grad_(true);
  auto options = Options();
  options.set_warmup_steps(0);
  Optimizer optimizer({{"w", ours, false}}, options, 10);
  torch::optim::AdamW reference(
      {theirs},
      torch::optim::AdamWOptions(0.01).betas({0.9, 0.95}).weight_decay(0.1));
  for (int64_t step = 0; step < 10; ++step) {
    const Tensor target = torch::randn({3, 4});
    (ours - target).square().sum().backward();
    optimizer.Accumulate();
    const double norm = testing::Value(optimizer.Step(step));
    reference.zero_grad();
    (theirs - target).square().sum().backward();
    CHECK(norm == Approx(theirs.grad().norm().item<double>()));
    static_cast<torch::optim::AdamWOptions&>(
        reference.param_groups()[0].options())
        .lr(0.01 * optimizer.Schedule(step));
    reference.step();
    CHECK(testing::MaxDifference(ours, theirs) < 1e-5);
  }
}

TEST_CASE("Only layers decay, neither norms nor new parameters") {
  auto options = Options();
  options.set_warmup_steps(0);
  const Tensor layer = torch::ones({2, 2}).requires_grad_(true);
  const Tensor norm = torch::ones({2}).requires_grad_(true);
  const Tensor added = torch::ones({2, 2}).requires_grad_(true);
  Optimizer optimizer(
      {{"layer", layer, false}, {"norm", norm, false}, {"added", added, true}},
      options, 10);
  REQUIRE(optimizer.Step(0).ok());  // Without a gradient decay alone moves.
  CHECK(layer[0][0].item<float>() == Approx(1 - 0.01 * 0.1));
  CHECK(norm[0].item<float>() == 1);
  CHECK(added[0][0].item<float>() == 1);
}

TEST_CASE("The schedule warms up, then falls to zero") {
  const Optimizer optimizer({}, Options(), 12);
  CHECK(optimizer.Schedule(0) == Approx(0.5));
  CHECK(optimizer.Schedule(1) == Approx(1.0));
  CHECK(optimizer.Schedule(2) == Approx(1.0));
  CHECK(optimizer.Schedule(7) == Approx(0.5));
  CHECK(optimizer.Schedule(11) < 0.03);
}

TEST_CASE("bfloat16 tensors move by their float32 masters") {
  auto options = Options();
  options.set_learning_rate(1e-4);  // below the distance of bfloat16 near 1
  options.set_warmup_steps(0);
  options.set_weight_decay(0);
  const Tensor weight =
      torch::ones({4, 4}, torch::kBFloat16).requires_grad_(true);
  Optimizer optimizer({{"w", weight, false}}, options, 1000000);
  for (int64_t step = 0; step < 100; ++step) {
    weight.mutable_grad() = torch::ones({4, 4}, torch::kBFloat16);
    optimizer.Accumulate();
    REQUIRE(optimizer.Step(step).ok());
  }
  CHECK(weight[0][0].item<float>() == Approx(0.99).margin(0.004));
}

TEST_CASE("Several backward passes add up, clipping bounds their sum") {
  const Tensor weight = torch::zeros({2, 2}).requires_grad_(true);
  auto options = Options();
  options.set_clip_norm(1);
  Optimizer optimizer({{"w", weight, true}}, options, 10);
  for (int i = 0; i < 2; ++i) {
    weight.mutable_grad() = torch::ones({2, 2});
    optimizer.Accumulate();
  }
  CHECK(testing::Value(optimizer.Step(0)) == Approx(4.0));
  const auto state = optimizer.State();
  CHECK(state.at("mean.w")[0][0].item<float>() == Approx(0.1 * 0.5));
  weight.mutable_grad() = torch::full({2, 2}, std::nanf(""));
  optimizer.Accumulate();
  const Tensor before = weight.detach().clone();
  CHECK(absl::IsFailedPrecondition(optimizer.Step(1).status()));
  CHECK(torch::equal(weight, before));
}

}  // namespace
}  // namespace larr
