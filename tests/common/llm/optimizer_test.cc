// SPDX-License-Identifier: Apache-2.0
#include "common/llm/optimizer.h"

#include <torch/optim.h>
#include <torch/utils.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "common/llm/decoder.h"
#include "common/llm/language_loss.h"
#include "common/llm/process_group.h"
#include "common/tensors/safetensors.h"
#include "tests/common/llm/golden.h"
#include "tests/testing/ranks.h"
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

constexpr int64_t kSteps = 50, kTexts = 8, kSpecial = 262;

// The tiny model and all that trains it, as one of `group`'s ranks.
struct TinyTraining {
  explicit TinyTraining(ProcessGroup& of, torch::ScalarType dtype)
      : group(of),
        model(testing::ReadModel(testing::TinyFolder(), dtype)),
        decoder(model.config, model.weights, kSpecial, 0),
        tensors(decoder.Train(true)),
        optimizer(tensors, Learning(), kSteps, &group) {}

  static config::v1::LlmOptimizer Learning() {
    config::v1::LlmOptimizer options;
    options.set_learning_rate(1e-3);
    options.set_new_parameter_learning_rate(3e-3);
    options.set_warmup_steps(5);
    options.set_weight_decay(0.1);
    options.set_clip_norm(1);
    return options;
  }
  // Texts of the global batch, of various lengths.
  static std::vector<Description> Batch(int64_t step) {
    torch::manual_seed(step);
    std::vector<Description> texts(kTexts);
    for (Description& text : texts) {
      const Tensor ids =
          torch::randint(0, 269, {torch::randint(4, 20, {1}).item<int64_t>()});
      text.ids.assign(ids.data_ptr<int64_t>(),
                      ids.data_ptr<int64_t>() + ids.size(0));
      text.given = 2;
    }
    return texts;
  }
  // The step's loss: the mean over the targets of all ranks. Every other step
  // has two passes.
  double Step(int64_t step) {
    const auto texts = Batch(step);
    const int64_t passes = 1 + step % 2, count = kTexts / group.size();
    const auto own = std::span(texts).subspan(count * group.rank(), count);
    std::vector<LanguageBatch> batches;
    double targets = 0, loss = 0;
    for (int64_t pass = 0; pass < passes; ++pass) {
      batches.push_back(MakeLanguageBatch(
          own.subspan(pass * count / passes, count / passes)));
      targets += static_cast<double>(batches.back().targets.size(0));
    }
    targets = testing::Value(group.Sum(targets));
    for (int64_t pass = 0; pass < passes; ++pass) {
      const LanguageBatch& batch = batches[pass];
      const Tensor hidden =
          decoder.Hidden(batch.batch).index_select(0, batch.rows);
      const Tensor share =
          NextTokenLoss(hidden, decoder.head(), batch.targets) / targets;
      if (pass + 1 == passes) optimizer.ExpectLastPass();
      share.backward();
      optimizer.Accumulate();
      loss += share.item<double>();
    }
    testing::Value(optimizer.Step(step));
    return testing::Value(group.Sum(loss));
  }
  std::map<std::string, Tensor> Weights() const {
    std::map<std::string, Tensor> weights;
    for (const auto& trained : tensors)
      weights[trained.name] = trained.tensor.detach().clone();
    return weights;
  }

  ProcessGroup& group;
  testing::Model model;
  Decoder decoder;
  std::vector<TrainedTensor> tensors;
  Optimizer optimizer;
};

std::map<std::string, Tensor> Train(TinyTraining& training, int64_t from,
                                    int64_t to) {
  std::vector<double> losses;
  for (int64_t step = from; step < to; ++step)
    losses.push_back(training.Step(step));
  auto results = training.Weights();
  results["losses"] = torch::tensor(losses, torch::kFloat32);
  return results;
}

std::filesystem::path RankFile(const std::filesystem::path& folder, int rank,
                               const std::string& name) {
  return folder / (name + "-" + std::to_string(rank) + ".safetensors");
}

void TrainAndResume(torch::ScalarType dtype) {
  const auto group = testing::JoinRanks();
  const auto folder = testing::RanksFolder();
  const auto state = RankFile(folder, group->rank(), "state");
  TinyTraining training(*group, dtype);
  Train(training, 0, kSteps / 2);
  REQUIRE(WriteSafetensors(state, training.optimizer.State()).ok());
  const auto whole = Train(training, kSteps / 2, kSteps);
  TinyTraining resumed(*group, dtype);
  REQUIRE(
      resumed.optimizer.Restore(testing::Value(SafetensorsFile::Open(state)))
          .ok());
  REQUIRE(resumed.optimizer.Publish().ok());
  for (const auto& [name, tensor] : Train(resumed, kSteps / 2, kSteps))
    CHECK(torch::equal(tensor, whole.at(name)));
  TinyTraining again(*group, dtype);
  const auto results = Train(again, 0, kSteps);
  for (const auto& [name, tensor] : whole)
    if (name != "losses") CHECK(torch::equal(tensor, results.at(name)));
  REQUIRE(WriteSafetensors(RankFile(folder, group->rank(), "results"), results)
              .ok());
}
TEST_CASE("rank: trains in float32", "[.]") { TrainAndResume(torch::kFloat32); }
TEST_CASE("rank: trains in bfloat16", "[.]") {
  TrainAndResume(torch::kBFloat16);
}

// Largest difference of losses, and of weights by relative norm.
std::pair<double, double> Differences(const SafetensorsFile& file,
                                      const std::map<std::string, Tensor>& to) {
  double losses = 0, weights = 0;
  for (const auto& [name, tensor] : to) {
    const Tensor expected = tensor.to(torch::kFloat32);
    const Tensor difference =
        testing::Value(file.View(name)).to(torch::kFloat32) - expected;
    REQUIRE(difference.isfinite().all().item<bool>());
    if (name == "losses") {
      losses = difference.abs().max().item<double>();
    } else {
      weights = std::max(weights, difference.norm().item<double>() /
                                      expected.norm().item<double>());
    }
  }
  return {losses, weights};
}

TEST_CASE(
    "Two and four ranks train as one process, bit for bit the same each") {
  ProcessGroup alone;
  TinyTraining one(alone, torch::kFloat32);
  const auto expected = Train(one, 0, kSteps);
  CHECK(expected.at("losses")[kSteps - 1].item<float>() <
        expected.at("losses")[0].item<float>() - 0.1);
  for (const int count : {2, 4}) {
    const testing::TempDir dir;
    testing::Ranks(count, "rank: trains in float32", dir.path()).Finish();
    const auto first = testing::Value(
        SafetensorsFile::Open(RankFile(dir.path(), 0, "results")));
    const auto [losses, weights] = Differences(first, expected);
    CHECK(losses < 1e-5);
    CHECK(weights < 1e-4);
    for (int rank = 1; rank < count; ++rank) {
      const auto other = testing::Value(
          SafetensorsFile::Open(RankFile(dir.path(), rank, "results")));
      for (const auto& name : first.names()) {
        CHECK(torch::equal(testing::Value(other.View(name)),
                           testing::Value(first.View(name))));
      }
    }
    // A share fits its own rank alone.
    const auto status = one.optimizer.Restore(testing::Value(
        SafetensorsFile::Open(RankFile(dir.path(), 1, "state"))));
    CHECK(absl::IsFailedPrecondition(status));
    CHECK_THAT(status.ToString(),
               Catch::Contains("share of rank 1 of " + std::to_string(count)) &&
                   Catch::Contains("WORLD_SIZE=" + std::to_string(count)));
  }
}

TEST_CASE("Ranks in bfloat16 stay near one process") {
  ProcessGroup alone;
  TinyTraining one(alone, torch::kBFloat16);
  const auto expected = Train(one, 0, kSteps);
  const testing::TempDir dir;
  testing::Ranks(2, "rank: trains in bfloat16", dir.path()).Finish();
  const auto first =
      testing::Value(SafetensorsFile::Open(RankFile(dir.path(), 0, "results")));
  const auto [losses, weights] = Differences(first, expected);
  CHECK(losses < 0.02);
  CHECK(weights < 0.05);
}

TEST_CASE("rank: meets a gradient that is not finite", "[.]") {
  const auto group = testing::JoinRanks();
  const Tensor weight = torch::ones({4}).requires_grad_(true);
  Optimizer optimizer({{"w", weight, false}}, Options(), 10, group.get());
  if (group->rank() == 1) weight.mutable_grad() = torch::full({4}, NAN);
  optimizer.Accumulate();
  CHECK_THAT(optimizer.Step(0).status().ToString(),
             Catch::Contains("is not finite"));
  CHECK(torch::equal(weight, torch::ones({4})));
}
TEST_CASE("A gradient that is not finite stops all ranks") {
  const testing::TempDir dir;
  testing::Ranks(2, "rank: meets a gradient that is not finite", dir.path())
      .Finish();
}

}  // namespace
}  // namespace larr
