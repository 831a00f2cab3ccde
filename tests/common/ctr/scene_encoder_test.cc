// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/scene_encoder.h"

#include <torch/utils.h>

#include <catch2/catch.hpp>

#include "tests/common/ctr/golden.h"

namespace larr {
namespace {

using config::v1::CtrArchitecture;
using testing::Golden;
using testing::MaxDifference;
using torch::Tensor;

SceneEncoder GoldenEncoder(const Golden& golden,
                           CtrArchitecture::Readout readout) {
  auto architecture = testing::TinyDescription().architecture();
  architecture.set_readout(readout);
  SceneEncoder encoder(architecture, 3, 8, 8);
  const torch::NoGradGuard no_grad;
  for (auto& item : encoder.named_parameters())
    item.value().copy_(golden["scene." + item.key()]);
  for (auto& item : encoder.named_buffers())
    item.value().copy_(golden["scene." + item.key()]);
  return encoder;
}

TEST_CASE("both readouts agree with nn.TransformerEncoderLayer") {
  const Golden golden("scene.safetensors");
  const auto readout = GENERATE(CtrArchitecture::AGG, CtrArchitecture::MEAN);
  const std::string name = CtrArchitecture::Readout_Name(readout);
  SceneEncoder encoder = GoldenEncoder(golden, readout);
  const Tensor e_s = encoder.Forward(golden.Scene());
  REQUIRE(MaxDifference(e_s, golden["e_s." + name]) < 1e-5);
  (e_s * golden["weights"]).sum().backward();
  for (const auto& item : encoder.named_parameters()) {
    INFO(item.key());
    REQUIRE(MaxDifference(item.value().grad(),
                          golden["grad." + name + ".scene." + item.key()]) <
            1e-4);
  }
}

TEST_CASE("reading agg alone equals the first row of the whole layer") {
  const Golden golden("scene.safetensors");
  SceneEncoder encoder = GoldenEncoder(golden, CtrArchitecture::AGG);
  const Tensor all = encoder.EncodeAll(golden.Scene());
  REQUIRE(MaxDifference(all, golden["encoded"]) < 1e-5);
}

TEST_CASE("what agg attends to sums to 1 and moves with the texts") {
  const Golden golden("scene.safetensors");
  SceneEncoder encoder = GoldenEncoder(golden, CtrArchitecture::AGG);
  const torch::NoGradGuard no_grad;
  const SceneBatch scene = golden.Scene();
  const Tensor weights = encoder.AttentionOfAgg(scene);
  const int64_t rows = scene.index_Br.size(0);
  REQUIRE(weights.sizes() == torch::IntArrayRef({rows, 4}));
  REQUIRE(MaxDifference(weights.sum(1), torch::ones({rows})) < 1e-6);
  // Where all texts and agg are one token, no one is preferred.
  auto parameters = encoder.named_parameters();
  for (const char* name : {"slot", "default"}) parameters[name].zero_();
  parameters["default"].add_(parameters["agg"]);
  const SceneBatch empty{scene.texts_TC.narrow(0, 0, 0),
                         scene.slots_T.narrow(0, 0, 0),
                         torch::full({1, 3}, -1, torch::kInt64)};
  REQUIRE(MaxDifference(encoder.AttentionOfAgg(empty),
                        torch::full({1, 4}, 0.25)) < 1e-6);
}

TEST_CASE("from the first step on, e_s says which texts there are") {
  torch::manual_seed(4);
  const torch::NoGradGuard no_grad;
  CtrArchitecture architecture;
  architecture.set_encoder_heads(4);
  architecture.set_encoder_ffn_width(512);
  const int64_t slots = 10, scenes = 64;
  SceneEncoder encoder(architecture, slots, 128, 32);
  const Tensor index = torch::arange(scenes * slots).view({scenes, slots});
  const Tensor e_s = encoder.Forward(
      {torch::randn({scenes * slots, 128}), index.flatten() % slots, index});
  const double differs = e_s.var(0, false).mean().sqrt().item<double>();
  CHECK(differs > 0.3);
  CHECK(differs > 0.5 * e_s.square().mean().sqrt().item<double>());
}

TEST_CASE("statistics centre each slot and scale it to unit RMS") {
  torch::manual_seed(5);
  auto architecture = testing::TinyDescription().architecture();
  SceneEncoder encoder(architecture, 3, 8, 8);
  // Slot 0 has ten texts, slot 1 one, slot 2 none.
  Tensor texts = torch::randn({11, 8}) * 3 + 5;
  Tensor slots = torch::zeros({11}, torch::kInt64);
  slots[10] = 1;
  encoder.SetStatistics(texts, slots);
  const auto buffers = encoder.named_buffers();
  const Tensor z =
      (texts.slice(0, 0, 10) - buffers["mean"][0]) * buffers["scale"][0];
  REQUIRE(z.mean(0).abs().max().item<double>() < 1e-5);
  REQUIRE(z.square().mean().item<double>() == Approx(1).epsilon(1e-4));
  REQUIRE(MaxDifference(buffers["mean"][1], texts[10]) < 1e-6);
  REQUIRE(buffers["scale"][1].item<double>() == 1);
  REQUIRE(buffers["mean"][2].abs().sum().item<double>() == 0);
}

}  // namespace
}  // namespace larr
