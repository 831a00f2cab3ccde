// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/linear.h"

#include <torch/utils.h>

#include <catch2/catch.hpp>

#include "tests/common/ctr/golden.h"

namespace larr {
namespace {

using testing::MaxDifference;
using torch::Tensor;

TEST_CASE("forward and gradients agree with at::linear") {
  torch::manual_seed(1);
  const bool relu = GENERATE(false, true);
  const int64_t rows = GENERATE(1, 3, 200);
  const Tensor x = torch::randn({rows, 17}), w = torch::randn({9, 17}),
               b = torch::randn({9}), weights = torch::randn({rows, 9});
  const auto run = [&](bool ours) {
    std::vector<Tensor> leaves;
    for (const Tensor& t : {x, w, b})
      leaves.push_back(t.clone().requires_grad_(true));
    Tensor y;
    if (ours) {
      y = (relu ? LinearRelu : Linear)(leaves[0], leaves[1], leaves[2]);
    } else {
      y = at::linear(leaves[0], leaves[1], leaves[2]);
      if (relu) y = y.relu();
    }
    (y * weights).sum().backward();
    return std::vector<Tensor>{y.detach(), leaves[0].grad(), leaves[1].grad(),
                               leaves[2].grad()};
  };
  const auto ours = run(true), reference = run(false);
  for (size_t i = 0; i < ours.size(); ++i)
    REQUIRE(MaxDifference(ours[i], reference[i]) < 2e-4);
}

TEST_CASE("strided inputs, constant inputs and no rows are fine") {
  torch::manual_seed(1);
  const Tensor x = torch::randn({17, 5}).t(), b = torch::randn({9});
  const Tensor w = torch::randn({9, 17}).requires_grad_(true);
  const Tensor y = Linear(x, w, b);
  REQUIRE(MaxDifference(y.detach(), at::linear(x, w, b).detach()) < 1e-5);
  y.sum().backward();
  REQUIRE(MaxDifference(w.grad(), x.sum(0).expand({9, 17})) < 1e-4);
  REQUIRE(Linear(torch::empty({0, 17}), w, b).sizes() ==
          torch::IntArrayRef({0, 9}));
}

}  // namespace
}  // namespace larr
