// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/scene_split.h"

#include <torch/utils.h>

#include <catch2/catch.hpp>
#include <vector>

#include "common/ctr/scene_encoder.h"
#include "tests/common/ctr/golden.h"

namespace larr {
namespace {

using torch::Tensor;

// Four slots of width 12, two heads.
std::shared_ptr<SceneEncoder> MakeEncoder() {
  torch::manual_seed(5);
  config::v1::CtrArchitecture architecture;
  architecture.set_encoder_heads(2);
  architecture.set_encoder_ffn_width(20);
  auto encoder = std::make_shared<SceneEncoder>(architecture, 4, 12, 6);
  encoder->SetStatistics(torch::randn({40, 12}) * 2 + 1,
                         torch::arange(40, torch::kInt64) % 4);
  return encoder;
}

TEST_CASE("texts pooled in two parts give the encoder's e_s") {
  const torch::NoGradGuard no_grad;
  const auto encoder = MakeEncoder();
  std::map<std::string, Tensor> tensors;
  for (const auto& item : encoder->named_parameters())
    tensors["scene." + item.key()] = item.value().detach();
  for (const auto& item : encoder->named_buffers())
    tensors["scene." + item.key()] = item.value();
  const SceneSplit split(tensors, 2, torch::kFloat32);

  const Tensor texts = torch::randn({3, 12});
  const auto* text = texts.const_data_ptr<float>();
  // Slot 2 is missing.
  const Tensor expected =
      encoder->Forward({texts, torch::tensor({0, 1, 3}, torch::kInt64),
                        torch::tensor({{0, 1, -1, 2}}, torch::kInt64)});

  const auto size = static_cast<size_t>(split.shape().size());
  std::vector<float> first(size), second(size);
  const std::vector<int64_t> slots_a = {0, 2}, slots_b = {3, 1};
  const std::vector<const float*> vectors_a = {text, nullptr};
  const std::vector<const float*> vectors_b = {text + 24, text + 12};
  const auto bytes = [](std::vector<float>& part) {
    return reinterpret_cast<std::byte*>(part.data());
  };
  split.Pool(slots_a, vectors_a, 1, /*with_agg=*/true, bytes(first), 0);
  split.Pool(slots_b, vectors_b, 1, /*with_agg=*/false, bytes(second), 0);
  const Tensor attention = torch::empty({1, 12});
  const float* own[] = {second.data()};
  kernels::MergePools(split.shape(), 1, first.data(), own,
                      attention.data_ptr<float>());
  REQUIRE(testing::MaxDifference(split.Finish(attention), expected) < 1e-5);
}

}  // namespace
}  // namespace larr
