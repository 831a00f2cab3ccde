// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/wide_deep.h"

#include <torch/utils.h>

#include <catch2/catch.hpp>
#include <cstddef>
#include <string>
#include <vector>

#include "common/config/training_settings.h"
#include "common/ctr/scorer.h"
#include "common/ctr/tensor_shapes.h"
#include "common/ctr/trainer.h"
#include "tests/common/ctr/golden.h"

namespace larr {
namespace {

using testing::Golden;
using testing::GoldenFolder;
using testing::MaxDifference;
using torch::Tensor;

CtrBatch Batch(const Golden& golden, int step) {
  const std::string prefix = std::to_string(step) + ".";
  const Tensor labels = golden[prefix + "labels"];
  return {.ids = golden[prefix + "ids"],
          .dense = golden[prefix + "dense"],
          .scene = {},
          .labels = labels,
          .pairs = torch::arange(labels.size(0))};
}

TEST_CASE("Models that read no texts agree with a PyTorch reference") {
  const std::string name = GENERATE("linear", "wide_deep", "deep_fm", "ple");
  INFO(name);
  const Golden golden(name + "_steps.safetensors");
  auto loaded = LoadCtrModel(GoldenFolder() / name).value();
  REQUIRE(MaxDifference(loaded.model->Predict(Batch(golden, 0)),
                        golden["probabilities"]) < 1e-6);
  config::v1::AlignConfig config;
  config.set_name(name);
  *config.mutable_architecture() = loaded.description.architecture();
  config.set_learning_rate(0.01);
  config.set_default_probability(1e-12);
  CtrTrainer trainer(*loaded.model, CompleteAlignConfig(config).value(), 1);
  for (int step = 0; step < 3; ++step) {
    const StepLoss loss = trainer.Step(Batch(golden, step)).value();
    const Tensor expected = golden[std::to_string(step) + ".losses"];
    REQUIRE(loss.total == Approx(expected[0].item<float>()).epsilon(1e-4));
    REQUIRE(loss.ctr == Approx(expected[1].item<float>()).epsilon(1e-4));
    REQUIRE(loss.ctcvr == Approx(expected[2].item<float>()).epsilon(1e-4));
  }
  const auto tensors = NamedTensors(*loaded.model);
  REQUIRE(tensors.contains("task1.dense_factors") == (name == "deep_fm"));
  const auto shapes = CtrTensorShapes(loaded.description.architecture(),
                                      loaded.model->layout());
  REQUIRE(shapes.size() == tensors.size());
  for (const TensorShape& shape : shapes)
    REQUIRE(tensors.at(shape.name).sizes().vec() == shape.sizes);
  for (const auto& [key, tensor] : tensors) {
    INFO(key);
    REQUIRE(MaxDifference(tensor, golden["after." + key]) < 1e-4);
  }
}

TEST_CASE("Models that read no texts are served as they predict") {
  const std::string name = GENERATE("linear", "wide_deep", "deep_fm", "ple");
  INFO(name);
  const Golden golden(name + "_steps.safetensors");
  const Scorer scorer = Scorer::Open(GoldenFolder() / name, 1).value();
  const Tensor ids = golden["0.ids"], dense = golden["0.dense"];
  for (int64_t row = 0; row < ids.size(0); ++row) {
    const auto id = [&](int64_t column) {
      return std::vector<int64_t>{ids[row][column].item<int64_t>()};
    };
    const auto number = [&](int64_t column) {
      return std::vector<float>{dense[row][column].item<float>()};
    };
    std::vector<std::byte> state(scorer.poi_state_bytes());
    REQUIRE(scorer
                .MakePoiStates({.count = 1, .ids = id(2), .dense = number(1)},
                               state)
                .ok());
    const RequestColumns request{.candidates = 1,
                                 .user_ids = id(0),
                                 .context_ids = id(1),
                                 .context_dense = number(0),
                                 .cross_ids = id(3),
                                 .cross_dense = number(2)};
    const std::vector<const std::byte*> states = {state.data()};
    const ScorerOutput output = scorer.Score(request, states).value();
    const Tensor expected = golden["probabilities"][row];
    REQUIRE(output.ctr[0] == Approx(expected[0].item<float>()).margin(1e-6));
    REQUIRE(output.ctcvr[0] == Approx(expected[1].item<float>()).margin(1e-6));
  }
}

TEST_CASE("A dataset without numbers, or without ids, will do") {
  const std::string name = GENERATE("linear", "deep_fm");
  auto description = LoadTextProto<config::v1::CtrModelDescription>(
                         GoldenFolder() / name / kCtrDescriptionFile)
                         .value();
  const bool has_ids = GENERATE(false, true);
  INFO(name << " " << has_ids);
  auto& spec = *description.mutable_dataset();
  spec.clear_user_embedding_features();
  spec.clear_poi_embedding_features();
  const auto features = spec.tabular_features();
  spec.clear_tabular_features();
  for (const auto& feature : features)
    if (feature.has_dense() != has_ids) *spec.add_tabular_features() = feature;
  const auto learned = description.features();
  description.clear_features();
  for (const auto& feature : learned)
    if ((feature.deviation() > 0) != has_ids)
      *description.add_features() = feature;
  const auto model = NewCtrModel(description, 1).value();
  const CtrBatch batch{.ids = torch::zeros({5, has_ids ? 4 : 0}, torch::kInt64),
                       .dense = torch::ones({5, has_ids ? 0 : 3}),
                       .scene = {},
                       .labels = torch::ones({5, 2}),
                       .pairs = torch::arange(5)};
  config::v1::AlignConfig config;
  config.set_name("bare");
  *config.mutable_architecture() = description.architecture();
  CtrTrainer trainer(*model, CompleteAlignConfig(config).value(), 1);
  const double before = trainer.Step(batch).value().total;
  for (int step = 0; step < 10; ++step) REQUIRE(trainer.Step(batch).ok());
  CHECK(trainer.Step(batch).value().total < before);
}

}  // namespace
}  // namespace larr
