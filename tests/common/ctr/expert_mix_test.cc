// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/expert_mix.h"

#include <torch/autograd.h>
#include <torch/utils.h>

#include <catch2/catch.hpp>
#include <random>

#include "tests/common/ctr/golden.h"

namespace larr {
namespace {

using testing::MaxDifference;
using torch::Tensor;

// The same, operation by operation.
std::vector<Tensor> Plain(const std::vector<Tensor>& parts,
                          const std::vector<MixGate>& gates, int64_t width) {
  const Tensor x = torch::cat(parts, 1);
  std::vector<Tensor> out;
  for (const MixGate& gate : gates) {
    const auto experts = static_cast<int64_t>(gate.experts.size());
    const Tensor weights = x.narrow(1, gate.first_logit, experts).softmax(1);
    Tensor sum = torch::zeros({x.size(0), width});
    for (int64_t e = 0; e < experts; ++e)
      sum = sum + weights.narrow(1, e, 1) *
                      x.narrow(1, gate.experts[e], width).relu();
    out.push_back(sum);
  }
  return out;
}

TEST_CASE("mixtures and their gradients are those of the plain operations") {
  std::mt19937 random(5);
  const auto draw = [&](int least, int most) {
    return std::uniform_int_distribution<int>(least, most)(random);
  };
  for (int round = 0; round < 40; ++round) {
    torch::manual_seed(round);
    const int64_t rows = draw(1, 200), width = draw(1, 70);
    const int experts = draw(1, 6);
    // Logits stand before the experts or behind them.
    std::vector<MixGate> gates(draw(1, 3));
    const bool before = draw(0, 1) == 1;
    int64_t logits = 0;
    for (MixGate& gate : gates) {
      for (int64_t e = 0; e < experts; ++e)
        if (draw(0, 1) == 1) gate.experts.push_back(e * width);
      if (gate.experts.empty())
        gate.experts.push_back(draw(0, experts - 1) * width);
      gate.first_logit = logits + (before ? 0 : experts * width);
      logits += static_cast<int64_t>(gate.experts.size());
    }
    if (before)
      for (MixGate& gate : gates)
        for (int64_t& column : gate.experts) column += logits;
    // Parts may begin anywhere.
    std::vector<Tensor> parts;
    int64_t left = experts * width + logits;
    while (left > 0) {
      const int64_t columns = draw(1, static_cast<int>(left));
      parts.push_back(torch::randn({rows, columns}).requires_grad_(true));
      left -= columns;
    }
    const auto expected = Plain(parts, gates, width);
    const auto mixed = MixExperts(parts, gates, width);
    REQUIRE(mixed.size() == gates.size());
    Tensor of_plain = torch::zeros({}), of_mixed = torch::zeros({});
    for (size_t g = 0; g < gates.size(); ++g) {
      REQUIRE(MaxDifference(mixed[g].detach(), expected[g].detach()) < 1e-5);
      const Tensor weight = torch::randn({rows, width});
      of_plain = of_plain + (expected[g] * weight).sum();
      of_mixed = of_mixed + (mixed[g] * weight).sum();
    }
    {
      const c10::InferenceMode inference;
      REQUIRE(torch::equal(MixExperts(parts, gates, width)[0], mixed[0]));
    }
    const auto plain = torch::autograd::grad({of_plain}, parts);
    const auto ours = torch::autograd::grad({of_mixed}, parts);
    for (size_t p = 0; p < parts.size(); ++p)
      REQUIRE(MaxDifference(ours[p], plain[p]) < 1e-4);
  }
}

}  // namespace
}  // namespace larr
