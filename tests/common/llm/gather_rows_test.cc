// SPDX-License-Identifier: Apache-2.0
#include "common/llm/gather_rows.h"

#include <torch/autograd.h>
#include <torch/nn/functional.h>
#include <torch/utils.h>

#include <catch2/catch.hpp>

#include "common/llm/pair_loss.h"
#include "tests/common/llm/golden.h"
#include "tests/testing/ranks.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using torch::Tensor;

constexpr int64_t kPairs = 12;

// Pairs of texts' states, and the projection that learns.
struct Problem {
  Problem() {
    torch::manual_seed(1);
    a = torch::randn({kPairs, 8});
    b = torch::randn({kPairs, 8});
    projection = torch::randn({8, 4}).requires_grad_(true);
  }
  Tensor a, b, projection;
};

// Sum of -log softmax at each row's own partner.
Tensor Terms(const Tensor& rows, const Tensor& all, int64_t first) {
  const auto unit = [](const Tensor& x) {
    return torch::nn::functional::normalize(
        x, torch::nn::functional::NormalizeFuncOptions().dim(1).eps(1e-8));
  };
  const Tensor own = torch::arange(first, first + rows.size(0), torch::kInt64);
  return torch::nn::functional::cross_entropy(
      unit(rows).mm(unit(all).t()) / 0.1, own,
      torch::nn::functional::CrossEntropyFuncOptions().reduction(torch::kSum));
}

TEST_CASE("rank: contrast", "[.]") {
  const auto group = testing::JoinRanks();
  const Problem problem;
  const int64_t count = kPairs / group->size(), first = count * group->rank();
  const Tensor a = problem.a.narrow(0, first, count).mm(problem.projection);
  const Tensor b = problem.b.narrow(0, first, count).mm(problem.projection);
  const Tensor loss = (Terms(a, GatherRows(b, *group), first) +
                       Terms(b, GatherRows(a, *group), first)) /
                      static_cast<double>(2 * kPairs);
  loss.backward();
  Tensor gradient = problem.projection.grad();
  REQUIRE(group->AllReduce(gradient).ok());
  const double sum = testing::Value(group->Sum(loss.item<double>()));

  const Problem whole;
  const Tensor expected =
      SymmetricInfoNce(whole.a.mm(whole.projection),
                       whole.b.mm(whole.projection),
                       torch::zeros({kPairs, kPairs}, torch::kBool), 0.1)
          .loss;
  expected.backward();
  CHECK(sum == Approx(expected.item<double>()).epsilon(1e-5));
  CHECK(testing::MaxDifference(gradient, whole.projection.grad()) < 1e-5);
}

TEST_CASE("Negatives of all ranks give the loss and gradient of one process") {
  for (const int count : {2, 3}) {
    const testing::TempDir dir;
    testing::Ranks(count, "rank: contrast", dir.path()).Finish();
  }
}

TEST_CASE("One process has all rows already") {
  ProcessGroup alone;
  const Tensor rows = torch::randn({3, 2});
  CHECK(GatherRows(rows, alone).is_same(rows));
}

}  // namespace
}  // namespace larr
