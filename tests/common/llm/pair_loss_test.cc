// SPDX-License-Identifier: Apache-2.0
#include "common/llm/pair_loss.h"

#include <torch/nn/functional.h>
#include <torch/utils.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

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
  const auto loss = [&](double temperature) {
    return SymmetricInfoNce(a, b, excluded, temperature).loss.item<double>();
  };
  CHECK(loss(0.3) == Approx(Definition(a, b, excluded, 0.3)).epsilon(1e-5));
  CHECK(loss(0.05) == Approx(Definition(a, b, excluded, 0.05)).epsilon(1e-5));
  excluded[1][4] = true;
  excluded[3][3] = true;  // the diagonal is not read
  CHECK(loss(0.3) == Approx(Definition(a, b, excluded, 0.3)).epsilon(1e-5));
  // With every negative excluded nothing is left to tell apart.
  excluded.fill_(true);
  CHECK(loss(0.3) == Approx(0).margin(1e-6));
}

TEST_CASE("InfoNCE of more rows than are held at once is that of the matrix") {
  torch::manual_seed(3);
  const int64_t n = 1100;
  const Tensor a = torch::randn({n, 16}).requires_grad_(true);
  const Tensor b = (a.detach() + torch::randn({n, 16})).requires_grad_(true);
  const Tensor excluded = torch::rand({n, n}) < 0.1;
  const PairLoss pairs = SymmetricInfoNce(a, b, excluded, 0.1);
  (pairs.loss * 2).backward();

  const Tensor x = a.detach().clone().requires_grad_(true);
  const Tensor y = b.detach().clone().requires_grad_(true);
  const auto unit = [](const Tensor& t) { return t / t.norm(2, 1, true); };
  const Tensor own = torch::arange(n);
  const Tensor scores =
      (unit(x).mm(unit(y).t()) / 0.1)
          .masked_fill(excluded & ~torch::eye(n).to(torch::kBool),
                       -std::numeric_limits<float>::infinity());
  const Tensor expected =
      (torch::nn::functional::cross_entropy(scores, own) +
       torch::nn::functional::cross_entropy(scores.t(), own)) /
      2;
  (expected * 2).backward();
  CHECK(pairs.loss.item<double>() ==
        Approx(expected.item<double>()).epsilon(1e-5));
  const auto error = [](const Tensor& one, const Tensor& other) {
    return ((one - other).norm() / other.norm()).item<double>();
  };
  CHECK(error(a.grad(), x.grad()) < 1e-4);
  CHECK(error(b.grad(), y.grad()) < 1e-4);
  const auto nearest = [&](const Tensor& table) {
    return table.argmax(1).eq(own).to(torch::kFloat64).mean().item<double>();
  };
  CHECK(Recall(pairs.ranks, 1) ==
        Approx((nearest(scores) + nearest(scores.t())) / 2));
}

TEST_CASE("An excluded pair has no gradient") {
  const Tensor a = torch::eye(2).requires_grad_(true);
  const Tensor b = torch::ones({2, 2});
  Tensor excluded = torch::zeros({2, 2}, torch::kBool);
  excluded[0][1] = true;
  excluded[1][0] = true;
  SymmetricInfoNce(a, b, excluded, 0.1).loss.backward();
  CHECK(a.grad().abs().max().item<float>() < 1e-6);
}

TEST_CASE("Ranks count what is at least as near as the partner") {
  const Tensor a = torch::eye(4);
  Tensor excluded = torch::zeros({4, 4}, torch::kBool);
  const auto recall = [&](const Tensor& b, int64_t k) {
    return Recall(SymmetricInfoNce(a, b, excluded, 1).ranks, k);
  };
  CHECK(recall(a, 1) == 1.0);
  // All others but one are as far as the partner.
  CHECK(recall(a.roll(1, 0), 3) == 0.0);
  CHECK(recall(a.roll(1, 0), 4) == 1.0);
  // Who says the same of all finds nobody first.
  CHECK(recall(torch::ones({4, 4}), 1) == 0.0);
  // b_2 is nearest to a_1, which does not count where that is excluded.
  Tensor b = a.clone();
  b[2] = a[1] + 0.1 * a[2];
  CHECK(recall(b, 1) == 7.0 / 8);
  excluded[1][2] = true;
  CHECK(recall(b, 1) == 1.0);
}

}  // namespace
}  // namespace larr
