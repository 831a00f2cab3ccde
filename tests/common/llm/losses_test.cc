// SPDX-License-Identifier: Apache-2.0
#include "common/llm/losses.h"

#include <torch/nn/functional.h>
#include <torch/utils.h>

#include <catch2/catch.hpp>
#include <cmath>

#include "tests/common/llm/golden.h"

namespace larr {
namespace {

using torch::Tensor;

// Eq. 12-14 written out.
double Definition(const Tensor& a, const Tensor& b, const Tensor& excluded,
                  double temperature) {
  const auto cosine = [&](int64_t i, int64_t j) {
    return torch::cosine_similarity(a[i], b[j], 0).item<double>();
  };
  const int64_t n = a.size(0);
  double total = 0;
  for (int64_t i = 0; i < n; ++i) {
    double rows = 0, columns = 0;
    for (int64_t j = 0; j < n; ++j) {
      if (i == j || !excluded[i][j].item<bool>())
        rows += std::exp(cosine(i, j) / temperature);
      if (i == j || !excluded[j][i].item<bool>())
        columns += std::exp(cosine(j, i) / temperature);
    }
    const double own = std::exp(cosine(i, i) / temperature);
    total -= (std::log(own / rows) + std::log(own / columns)) / 2;
  }
  return total / static_cast<double>(n);
}

TEST_CASE("InfoNCE is its definition, excluded pairs left out") {
  torch::manual_seed(2);
  const Tensor a = torch::randn({6, 5}), b = torch::randn({6, 5});
  Tensor excluded = torch::zeros({6, 6}, torch::kBool);
  CHECK(SymmetricInfoNce(a, b, excluded, 0.3).item<double>() ==
        Approx(Definition(a, b, excluded, 0.3)).epsilon(1e-5));
  excluded[1][4] = true;
  excluded[3][3] = true;  // the diagonal is not read
  CHECK(SymmetricInfoNce(a, b, excluded, 0.3).item<double>() ==
        Approx(Definition(a, b, excluded, 0.3)).epsilon(1e-5));
  // With every negative excluded nothing is left to tell apart.
  CHECK(SymmetricInfoNce(a, b, torch::ones({6, 6}, torch::kBool), 0.3)
            .item<double>() == Approx(0).margin(1e-6));
}

TEST_CASE("An excluded pair has no gradient") {
  const Tensor a = torch::eye(2).requires_grad_(true);
  const Tensor b = torch::ones({2, 2});
  Tensor excluded = torch::zeros({2, 2}, torch::kBool);
  excluded[0][1] = true;
  excluded[1][0] = true;
  SymmetricInfoNce(a, b, excluded, 0.1).backward();
  CHECK(a.grad().abs().max().item<float>() < 1e-6);
}

TEST_CASE("Accuracy counts partners that are nearest") {
  const Tensor a = torch::eye(4);
  const Tensor none = torch::zeros({4, 4}, torch::kBool);
  CHECK(PairAccuracy(a, a, none) == 1.0);
  CHECK(PairAccuracy(a, a.roll(1, 0), none) == 0.0);
}

}  // namespace
}  // namespace larr
