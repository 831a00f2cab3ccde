// SPDX-License-Identifier: Apache-2.0
#include "common/tensors/packed_linear.h"

#include <torch/utils.h>

#include <catch2/catch.hpp>

namespace larr {
namespace {

TEST_CASE(
    "A packed layer multiplies as at::linear does, for any number of rows") {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(1);
  for (const auto dtype : {torch::kFloat32, torch::kBFloat16}) {
    const auto weight = torch::randn({48, 80}).to(dtype);
    const auto bias = torch::randn({48}).to(dtype);
    const PackedLinear with(weight, bias, 64), without(weight, {}, 64);
    for (const int64_t rows : {1, 7, 64, 300}) {
      const auto x = torch::randn({rows, 80}).to(dtype);
      const double bound = dtype == torch::kFloat32 ? 1e-4 : 0.2;
      CHECK(torch::allclose(with(x).to(torch::kFloat32),
                            at::linear(x, weight, bias).to(torch::kFloat32),
                            bound, bound));
      CHECK(torch::allclose(without(x).to(torch::kFloat32),
                            at::linear(x, weight).to(torch::kFloat32), bound,
                            bound));
      CHECK(with(x).scalar_type() == dtype);
    }
  }
}

TEST_CASE("The caller's weight may change afterwards") {
  const torch::NoGradGuard no_grad;
  const auto weight = torch::ones({16, 16});
  const PackedLinear layer(weight, {}, 16);
  weight.zero_();
  CHECK(layer(torch::ones({1, 16}))[0][0].item<float>() == 16);
}

}  // namespace
}  // namespace larr
