// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/info_nce.h"

#include <torch/utils.h>

#include <catch2/catch.hpp>

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

TEST_CASE("gradients agree with finite differences") {
  torch::manual_seed(3);
  const auto options = torch::TensorOptions(torch::kFloat64);
  const Tensor e_s = torch::randn({6, 4}, options).requires_grad_(true);
  const Tensor e_t = torch::randn({6, 4}, options).requires_grad_(true);
  const Tensor pairs = torch::tensor({0, 1, 0, 2, 3, 1}, torch::kInt64);
  InfoNce(e_s, e_t, pairs, 0.5).backward();
  const torch::NoGradGuard no_grad;
  for (const Tensor& side : {e_s, e_t}) {
    for (int64_t i = 0; i < side.numel(); ++i) {
      double* x = side.data_ptr<double>() + i;
      const double old = *x, h = 1e-5;
      *x = old + h;
      const double up = InfoNce(e_s, e_t, pairs, 0.5).item<double>();
      *x = old - h;
      const double down = InfoNce(e_s, e_t, pairs, 0.5).item<double>();
      *x = old;
      REQUIRE(side.grad().view(-1)[i].item<double>() ==
              Approx((up - down) / (2 * h)).margin(1e-7));
    }
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

TEST_CASE("a zero vector has a finite gradient") {
  const Tensor e_s = torch::zeros({3, 4}).requires_grad_(true);
  InfoNce(e_s, torch::randn({3, 4}), torch::arange(3), 0.1).backward();
  REQUIRE(e_s.grad().isfinite().all().item<bool>());
}

}  // namespace
}  // namespace larr
