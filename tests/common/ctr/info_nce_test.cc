// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/info_nce.h"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/utils.h>

#include <catch2/catch.hpp>
#include <numeric>
#include <utility>
#include <vector>

#include "tests/common/ctr/golden.h"

namespace larr {
namespace {

using testing::Golden;
using testing::MaxDifference;
using torch::Tensor;

TEST_CASE("loss and gradients agree with the row-by-row reference") {
  const Golden golden("info_nce.safetensors");
  const Tensor e_s = golden["e_s"].clone().requires_grad_(true);
  const Tensor e_t = golden["e_t"].clone().requires_grad_(true);
  const Tensor loss = InfoNce(e_s, e_t, golden["pairs"], 0.1);
  loss.backward();
  REQUIRE(loss.item<float>() == Approx(golden["loss"].item<float>()));
  REQUIRE(MaxDifference(e_s.grad(), golden["grad_s"]) < 1e-5);
  REQUIRE(MaxDifference(e_t.grad(), golden["grad_t"]) < 1e-5);
}

// The formula, operation by operation.
Tensor Plain(const Tensor& e_s, const Tensor& e_t, const Tensor& pairs,
             double temperature) {
  const auto unit = [](const Tensor& x) {
    return x / x.square().sum(1, true).sqrt();
  };
  Tensor same = pairs.unsqueeze(0) == pairs.unsqueeze(1);
  same.fill_diagonal_(false);
  const Tensor similarity = at::matmul(unit(e_s), unit(e_t).t()) / temperature;
  const Tensor others = similarity.masked_fill(same, -1e30);
  const Tensor positive = similarity.diagonal();
  return ((others.logsumexp(1) - positive).mean() +
          (others.logsumexp(0) - positive).mean()) /
         2;
}

TEST_CASE("loss and gradients agree with the plain formula in float64") {
  for (int round = 0; round < 20; ++round) {
    torch::manual_seed(round);
    const int64_t rows = 2 + 17 * round, width = 1 + round;
    const double temperature = round % 2 == 0 ? 0.1 : 0.01;
    const Tensor pairs = torch::randint(rows, {rows}, torch::kInt64);
    const Tensor s = torch::randn({rows, width}),
                 t = torch::randn({rows, width});
    const Tensor e_s = s.clone().requires_grad_(true);
    const Tensor e_t = t.clone().requires_grad_(true);
    const Tensor double_s = s.to(torch::kFloat64).requires_grad_(true);
    const Tensor double_t = t.to(torch::kFloat64).requires_grad_(true);
    const Tensor loss = InfoNce(e_s, e_t, pairs, temperature);
    const Tensor plain = Plain(double_s, double_t, pairs, temperature);
    REQUIRE(loss.item<float>() ==
            Approx(plain.item<double>()).epsilon(1e-4).margin(1e-4));
    (3 * loss).backward();
    (3 * plain).backward();
    for (const auto& [ours, theirs] : {std::pair{e_s.grad(), double_s.grad()},
                                       {e_t.grad(), double_t.grad()}})
      REQUIRE(MaxDifference(ours, theirs.to(torch::kFloat32)) <
              1e-3 * (0.01 + theirs.abs().max().item<double>()));
  }
}

TEST_CASE("rows of the same user and POI are no negatives") {
  const Tensor e = torch::eye(2);
  const Tensor same = torch::zeros({2}, torch::kInt64);
  const Tensor other = torch::arange(2);
  REQUIRE(InfoNce(e, e, same, 0.1).item<double>() == Approx(0).margin(1e-6));
  REQUIRE(InfoNce(e, e, other, 1.0).item<double>() ==
          Approx(std::log(1 + std::exp(-1.0))));
}

TEST_CASE("negatives are drawn, as many for each row as it is asked for") {
  const int64_t rows = 50;
  const auto draw = [&](int64_t count, uint64_t seed) {
    return DrawNegatives(rows, count, at::detail::createCPUGenerator(seed));
  };
  const auto kept = draw(7, 1);
  REQUIRE(kept.size() == 50);
  REQUIRE(kept[0] == 0);
  REQUIRE(std::accumulate(kept.begin(), kept.end(), 0) == 7);
  REQUIRE(draw(7, 1) == kept);
  REQUIRE(draw(7, 2) != kept);
  REQUIRE(draw(0, 1).empty());
  REQUIRE(draw(49, 1).empty());

  // One negative at a distance of 3: a softmax of two.
  const Tensor e_s = torch::randn({rows, 4}), e_t = torch::randn({rows, 4});
  std::vector<uint8_t> one(50);
  one[3] = 1;
  const auto unit = [](const Tensor& x) {
    return x / x.square().sum(1, true).sqrt();
  };
  const Tensor s = at::matmul(unit(e_s), unit(e_t).t());
  const Tensor positive = s.diagonal();
  const Tensor other =
      s.gather(1, ((torch::arange(rows) + 3) % rows).unsqueeze(1)).squeeze(1);
  const Tensor back = other.roll(3);  // Of column j, the row j - 3.
  const Tensor expected = (torch::log1p((other - positive).exp()) +
                           torch::log1p((back - positive).exp()))
                              .mean() /
                          2;
  REQUIRE(InfoNce(e_s, e_t, torch::arange(rows), 1, one).item<float>() ==
          Approx(expected.item<float>()));
}

TEST_CASE("a zero vector has a finite gradient") {
  const Tensor e_s = torch::zeros({3, 4}).requires_grad_(true);
  InfoNce(e_s, torch::randn({3, 4}), torch::arange(3), 0.1).backward();
  REQUIRE(e_s.grad().isfinite().all().item<bool>());
}

}  // namespace
}  // namespace larr
