// SPDX-License-Identifier: Apache-2.0
#include "common/llm/lora.h"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/utils.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "common/llm/optimizer.h"
#include "tests/common/llm/golden.h"

namespace larr {
namespace {

using namespace larr::testing;  // NOLINT
using torch::Tensor;

TEST_CASE("An adapter's gradients are those of its formula") {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(1);
  const Tensor weight = torch::randn({7, 5});
  LoraAdapter adapter = MakeLoraAdapter(weight, {3, 12, 0}, generator);
  CHECK(adapter.scale == 4);
  CHECK(adapter.a.abs().max().item<double>() <= 1 / std::sqrt(5.0));
  CHECK(adapter.a.abs().max().item<double>() > 0.1);
  adapter.b = torch::randn({7, 3});
  const Tensor x = torch::randn({6, 5}).requires_grad_(true);
  const Tensor mix = torch::randn({6, 7});
  const std::vector<Tensor> leaves = {x, adapter.a.requires_grad_(true),
                                      adapter.b.requires_grad_(true)};
  const auto gradients = [&](const Tensor& y) {
    std::vector<Tensor> out;
    (y * mix).sum().backward();
    for (const Tensor& leaf : leaves) {
      out.push_back(leaf.grad().clone());
      leaf.mutable_grad().reset();
    }
    return out;
  };
  const auto plain =
      gradients(x.mm(weight.t()) + 4 * x.mm(adapter.a.t()).mm(adapter.b.t()));
  const auto ours = gradients(Adapt(adapter, x, at::linear(x, weight)));
  for (size_t i = 0; i < leaves.size(); ++i) {
    INFO(i);
    CHECK(MaxDifference(ours[i], plain[i]) < 1e-5);
  }
}

PackedBatch SomeTexts() {
  return Pack(std::vector<TokenIds>{
      {5, 9, 77, 262, 31, 265}, {8, 4}, {100, 262, 200, 201, 202, 263, 30}});
}

// A step of training on what the states at the texts' ends say.
void TrainSteps(Decoder& decoder, Optimizer& optimizer, int64_t steps) {
  const PackedBatch batch = SomeTexts();
  for (int64_t step = 0; step < steps; ++step) {
    const Tensor hidden = decoder.Hidden(batch).to(torch::kFloat32);
    (hidden.index_select(0, batch.last).narrow(1, 0, 3) - 1)
        .square()
        .sum()
        .backward();
    optimizer.Accumulate();
    REQUIRE(optimizer.Step(step).ok());
  }
}

config::v1::LlmOptimizer Options() {
  config::v1::LlmOptimizer options;
  options.set_learning_rate(0.02);
  options.set_new_parameter_learning_rate(0.02);
  return options;
}

TEST_CASE("With B at zero the model is the model") {
  const torch::NoGradGuard no_grad;
  for (const auto dtype : {torch::kFloat32, torch::kBFloat16}) {
    const Model model = ReadModel(TinyFolder(), dtype);
    Decoder decoder(model.config, model.weights, 262, 0);
    const Tensor before = decoder.Hidden(SomeTexts());
    decoder.AddAdapters({4, 8, 1});
    CHECK(torch::equal(decoder.Hidden(SomeTexts()), before));
  }
}

TEST_CASE("Adapters and special tokens learn, and nothing else") {
  for (const int64_t frozen : {0, 1}) {
    const Model model = ReadModel(TinyFolder(), torch::kFloat32);
    const Model untouched = ReadModel(TinyFolder(), torch::kFloat32);
    Decoder decoder(model.config, model.weights, 262, frozen);
    decoder.AddAdapters({4, 8, 1});
    const auto trained = decoder.Train(true);
    std::vector<std::string> names;
    for (const auto& tensor : trained) names.push_back(tensor.name);
    std::vector<std::string> expected = {"embedding.special", "head.special"};
    for (int64_t i = frozen; i < model.config.layers; ++i) {
      for (const char* name : {"qkv", "output", "gate_up", "down"}) {
        for (const char* part : {".lora_a", ".lora_b"})
          expected.push_back("layers." + std::to_string(i) + "." + name + part);
      }
    }
    CHECK(names == expected);
    Optimizer optimizer(trained, Options(), 10);
    TrainSteps(decoder, optimizer, 10);
    for (size_t i = 0; i < model.weights.layers.size(); ++i) {
      CHECK(torch::equal(model.weights.layers[i].down,
                         untouched.weights.layers[i].down));
      CHECK_FALSE(model.weights.layers[i].down.requires_grad());
    }
    CHECK(torch::equal(model.weights.norm, untouched.weights.norm));
    const auto known = [](const Tensor& table) {
      return table.narrow(0, 0, 262);
    };
    CHECK(torch::equal(known(model.weights.embedding),
                       known(untouched.weights.embedding)));
    // Those rows that were read, where a gradient comes down to them.
    const Tensor moved = (model.weights.embedding - untouched.weights.embedding)
                             .abs()
                             .amax(1)
                             .nonzero()
                             .flatten();
    CHECK(moved.size(0) == (frozen == 0 ? 3 : 0));
  }
}

TEST_CASE("The gradient of special tokens is that of the whole table") {
  std::vector<Tensor> gradients;
  for (const int64_t rank : {0, 4}) {
    const Model model = ReadModel(TinyFolder(), torch::kFloat32);
    Decoder decoder(model.config, model.weights, 262, 0);
    if (rank > 0) decoder.AddAdapters({rank, 8, 1});
    for (const auto& trained : decoder.Train(true)) {
      if (trained.name != "embedding.special") continue;
      decoder.Hidden(SomeTexts()).square().sum().backward();
      gradients.push_back(trained.tensor.grad());
    }
  }
  REQUIRE(gradients.size() == 2);
  CHECK(gradients[0].abs().max().item<double>() > 0);
  CHECK(MaxDifference(gradients[0], gradients[1]) < 1e-5);
}

TEST_CASE("Merged adapters are the adapted model") {
  const torch::NoGradGuard no_grad;
  for (const auto dtype : {torch::kFloat32, torch::kBFloat16}) {
    const Model model = ReadModel(TinyFolder(), dtype);
    const Model untouched = ReadModel(TinyFolder(), dtype);
    Decoder decoder(model.config, model.weights, 262, 0);
    decoder.AddAdapters({4, 8, 1});
    {
      const torch::AutoGradMode with_gradients(true);
      Optimizer optimizer(decoder.Train(true), Options(), 10);
      TrainSteps(decoder, optimizer, 10);
    }
    const Tensor adapted = decoder.Hidden(SomeTexts());
    decoder.MergeAdapters();
    const bool single = dtype == torch::kFloat32;
    const double bound = single ? 1e-4 : 0.15;
    CHECK(MaxDifference(decoder.Hidden(SomeTexts()), adapted) < bound);
    // As read from a file of the weights, too.
    const Decoder read(model.config, model.weights, 262, 0);
    CHECK(MaxDifference(read.Hidden(SomeTexts()), adapted) < bound);
    const Decoder base(model.config, untouched.weights, 262, 0);
    CHECK(MaxDifference(base.Hidden(SomeTexts()), adapted) > 0.3);
  }
}

TEST_CASE("The optimizer's state is that of the adapters alone") {
  const Model model = ReadModel(TinyFolder(), torch::kBFloat16);
  const auto bytes = [&](int64_t rank) {
    Decoder decoder(model.config, model.weights, 262, 0);
    if (rank > 0) decoder.AddAdapters({rank, 8, 1});
    int64_t sum = 0;
    const Optimizer optimizer(decoder.Train(true), Options(), 1);
    for (const auto& [name, tensor] : optimizer.State()) {
      CHECK(tensor.scalar_type() == torch::kFloat32);
      sum += static_cast<int64_t>(tensor.nbytes());
    }
    return sum;
  };
  CHECK(bytes(2) * 5 < bytes(0));
}

}  // namespace
}  // namespace larr
