// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/trainer.h"

#include <torch/utils.h>

#include <catch2/catch.hpp>
#include <set>
#include <string>

#include "common/ctr/metrics.h"
#include "tests/common/ctr/golden.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using config::v1::AlignConfig;
using config::v1::CtrModelDescription;
using testing::Golden;
using testing::GoldenBatch;
using testing::GoldenFolder;
using testing::MaxDifference;
using testing::TinyDescription;
using torch::Tensor;

AlignConfig Config(const CtrModelDescription& description) {
  AlignConfig config;
  config.set_name(description.name());
  *config.mutable_architecture() = description.architecture();
  config.set_learning_rate(0.01);
  config.set_alignment_weight(0.05);
  return CompleteAlignConfig(config).value();
}

TEST_CASE("steps agree with torch.optim.Adam and SparseAdam") {
  const Golden golden("larr_steps.safetensors");
  auto loaded = LoadCtrModel(GoldenFolder() / "larr").value();
  AlignConfig config = Config(loaded.description);
  config.set_default_probability(1e-12);
  CtrTrainer trainer(*loaded.model, config, 1);
  for (int step = 0; step < 3; ++step) {
    const StepLoss loss = trainer.Step(GoldenBatch(golden, step)).value();
    const Tensor expected = golden[std::to_string(step) + ".losses"];
    REQUIRE(loss.total == Approx(expected[0].item<float>()).epsilon(1e-4));
    REQUIRE(loss.ctr == Approx(expected[1].item<float>()).epsilon(1e-4));
    REQUIRE(loss.ctcvr == Approx(expected[2].item<float>()).epsilon(1e-4));
    REQUIRE(loss.alignment == Approx(expected[3].item<float>()).epsilon(1e-4));
  }
  for (const auto& [name, tensor] : NamedTensors(*loaded.model)) {
    // Adam turns a rounding error of a vanishing gradient into a step: keys'
    // biases cancel in the softmax, so their gradient is nothing but rounding.
    Tensor difference = (tensor - golden["after." + name]).abs();
    if (name == "scene.attention_in_bias") difference.slice(0, 8, 16).zero_();
    INFO(name);
    REQUIRE(difference.max().item<double>() < 1e-4);
  }
}

TEST_CASE("weight decay is decoupled, and of matrices alone") {
  const Golden golden("larr_steps.safetensors");
  const auto after_a_step = [&](double decay) {
    auto loaded = LoadCtrModel(GoldenFolder() / "larr").value();
    AlignConfig config = Config(loaded.description);
    config.set_weight_decay(decay);
    CtrTrainer trainer(*loaded.model, config, 1);
    REQUIRE(trainer.Step(GoldenBatch(golden, 0)).ok());
    return NamedTensors(*loaded.model);
  };
  const auto loaded = LoadCtrModel(GoldenFolder() / "larr").value();
  const auto before = NamedTensors(*loaded.model);
  const auto plain = after_a_step(0), decayed = after_a_step(0.5);
  const std::set<std::string> whole = {"tables.weight", "scene.slot",
                                       "scene.default", "scene.agg",
                                       "scene.norm1_weight"};
  for (const auto& [name, tensor] : before) {
    INFO(name);
    // Adam's own step does not depend on the weight: of the decay is left the
    // rate 0.01 times 0.5 times the weight.
    const bool decays = name.ends_with("_weight") && whole.count(name) == 0 &&
                        name != "scene.norm2_weight";
    if (decays)
      CHECK(MaxDifference(plain.at(name) - decayed.at(name), 0.005 * tensor) <
            1e-6);
    else
      CHECK(torch::equal(plain.at(name), decayed.at(name)));
  }
}

TEST_CASE("a step at half the pace is half as long") {
  const Golden golden("larr_steps.safetensors");
  const auto step = [&](double pace) {
    auto loaded = LoadCtrModel(GoldenFolder() / "larr").value();
    CtrTrainer trainer(*loaded.model, Config(loaded.description), 1);
    REQUIRE(trainer.Step(GoldenBatch(golden, 0), pace).ok());
    return NamedTensors(*loaded.model);
  };
  const auto loaded = LoadCtrModel(GoldenFolder() / "larr").value();
  const auto whole = step(1), half = step(0.5), none = step(0);
  for (const auto& [name, before] : NamedTensors(*loaded.model)) {
    INFO(name);
    CHECK(torch::equal(none.at(name), before));
    CHECK(MaxDifference(2 * (half.at(name) - before), whole.at(name) - before) <
          1e-6);
  }
}

// Click follows the sign of a text's first number and of the user's id.
CtrBatch SyntheticBatch(const CtrModelDescription& description, int64_t rows,
                        uint64_t seed) {
  const CtrLayout layout = MakeCtrLayout(description).value();
  torch::manual_seed(seed);
  CtrBatch batch;
  std::vector<Tensor> ids;
  for (const int64_t table : layout.table_rows)
    ids.push_back(torch::randint(1, table, {rows}, torch::kInt64));
  batch.ids = torch::stack(ids, 1);
  batch.dense = torch::randn({rows, layout.dense_count});
  const Tensor texts = torch::randn({rows * 3, 8});
  batch.scene = {.texts_TC = texts,
                 .slots_T = torch::arange(rows * 3) % 3,
                 .index_Br = torch::arange(rows * 3).view({rows, 3})};
  const Tensor logit = 2 * texts.view({rows, 3, 8}).select(1, 1).select(1, 0) +
                       2 * (batch.ids.select(1, 0) - 2);
  const Tensor click = (torch::rand({rows}) < logit.sigmoid()).to(torch::kF32);
  batch.labels = torch::stack({click, click * (torch::rand({rows}) < 0.3)}, 1);
  batch.pairs = torch::arange(rows);
  return batch;
}

double TestAuc(CtrModelDescription description) {
  // Layers of three units die of ReLU now and then.
  auto* architecture = description.mutable_architecture();
  architecture->set_expert_widths(0, 32);
  architecture->set_expert_widths(1, 16);
  architecture->set_tower_width(16);
  architecture->set_encoder_ffn_width(32);
  const auto model = NewCtrModel(description, 3).value();
  CtrTrainer trainer(*model, Config(description), 3);
  for (int step = 0; step < 200; ++step)
    REQUIRE(trainer.Step(SyntheticBatch(description, 500, step)).ok());
  const CtrBatch test = SyntheticBatch(description, 2000, 999);
  const Tensor scores =
      model->Predict(test).select(1, 0).to(torch::kF64).contiguous();
  const Tensor labels = test.labels.select(1, 0).to(torch::kU8).contiguous();
  return Auc({scores.data_ptr<double>(), 2000},
             {labels.data_ptr<uint8_t>(), 2000});
}

TEST_CASE("models learn, and LARR reads its texts") {
  const double ple = TestAuc(testing::TinyPleDescription());
  const double larr = TestAuc(TinyDescription());
  CAPTURE(ple, larr);
  REQUIRE(ple > 0.65);
  REQUIRE(larr > ple + 0.05);
}

std::map<std::string, Tensor> Snapshot(const CtrModel& model) {
  std::map<std::string, Tensor> copy;
  for (const auto& [name, tensor] : NamedTensors(model))
    copy[name] = tensor.clone();
  return copy;
}

TEST_CASE("a restored trainer goes on bit by bit") {
  const testing::TempDir folder;
  const auto description = TinyDescription();
  const auto batch = [&](int step) {
    return SyntheticBatch(description, 64, step);
  };
  const auto straight = NewCtrModel(description, 3).value();
  CtrTrainer first(*straight, Config(description), 5);
  for (int step = 0; step < 6; ++step) {
    if (step == 3) REQUIRE(first.Save(folder.path() / "checkpoint").ok());
    REQUIRE(first.Step(batch(step)).ok());
  }
  const auto resumed = NewCtrModel(description, 99).value();
  CtrTrainer second(*resumed, Config(description), 5);
  REQUIRE(second.Restore(folder.path() / "checkpoint").ok());
  REQUIRE(second.step() == 3);
  for (int step = 3; step < 6; ++step) REQUIRE(second.Step(batch(step)).ok());
  const auto expected = Snapshot(*straight);
  for (const auto& [name, tensor] : Snapshot(*resumed)) {
    INFO(name);
    REQUIRE(torch::equal(tensor, expected.at(name)));
  }
}

TEST_CASE("a checkpoint of another model is refused") {
  const testing::TempDir folder;
  const auto larr = NewCtrModel(TinyDescription(), 3).value();
  const auto path = folder.path() / "checkpoint";
  REQUIRE(CtrTrainer(*larr, Config(TinyDescription()), 1).Save(path).ok());
  const auto ple = NewCtrModel(testing::TinyPleDescription(), 3).value();
  CtrTrainer other(*ple, Config(testing::TinyPleDescription()), 1);
  REQUIRE(other.Restore(path).code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("defaults learn though the data has none of them") {
  const auto description = TinyDescription();
  const auto model = NewCtrModel(description, 3).value();
  const auto before = Snapshot(*model);
  AlignConfig config = Config(description);
  config.set_default_probability(0.2);
  CtrTrainer trainer(*model, config, 5);
  for (int step = 0; step < 2; ++step)
    REQUIRE(trainer.Step(SyntheticBatch(description, 64, step)).ok());
  const Tensor moved =
      (model->tables().weight() - before.at("tables.weight")).abs().sum(1);
  for (const int64_t row : {0, 4, 8, 13})
    REQUIRE(moved[row].item<double>() > 0);
  const Tensor defaults =
      NamedTensors(*model).at("scene.default") - before.at("scene.default");
  REQUIRE(defaults.abs().sum(1).min().item<double>() > 0);
}

TEST_CASE("a loss that is not finite ends training") {
  const auto description = TinyDescription();
  const auto model = NewCtrModel(description, 3).value();
  CtrTrainer trainer(*model, Config(description), 5);
  CtrBatch batch = SyntheticBatch(description, 8, 1);
  batch.dense[0][0] = std::numeric_limits<float>::quiet_NaN();
  REQUIRE(trainer.Step(batch).status().code() == absl::StatusCode::kOutOfRange);
}

}  // namespace
}  // namespace larr
