// SPDX-License-Identifier: Apache-2.0
#include "common/llm/shards.h"

#include <torch/autograd.h>
#include <torch/utils.h>

#include <catch2/catch.hpp>
#include <map>

#include "tests/common/llm/golden.h"
#include "tests/testing/ranks.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using torch::Tensor;

// Buckets of 6 elements cut through everything.
constexpr int64_t kBucket = 6;

struct Problem {
  explicit Problem(ProcessGroup& of) : group(of) {
    const auto add = [&](const char* name, Tensor x) {
      tensors.push_back({name, x.requires_grad_(true), false});
    };
    add("a", torch::arange(21, torch::kFloat32).view({7, 3}));
    add("b", torch::arange(5, torch::kBFloat16));
    add("c", torch::arange(11, torch::kFloat32));
    add("unused", torch::arange(4, torch::kFloat32));
  }
  // Each element's gradient is `factor` times its index.
  void Backward(double factor) const {
    Tensor sum = torch::zeros({});
    for (size_t i = 0; i < 3; ++i) {
      const Tensor flat = tensors[i].tensor.view({-1}).to(torch::kFloat32);
      sum = sum + (flat * torch::arange(flat.size(0))).sum() * factor;
    }
    sum.backward();
  }
  // Own pieces must have the gradient `factor` times the index.
  void Check(const Shards& shards, double factor) const {
    for (const Shards::Piece& piece : shards.pieces()) {
      const Tensor expected =
          torch::arange(piece.begin, piece.begin + piece.gradient.size(0))
              .to(torch::kFloat32) *
          (piece.tensor == 3 ? 0.0 : factor);
      CHECK(torch::equal(piece.gradient, expected));
    }
  }
  ProcessGroup& group;
  std::vector<TrainedTensor> tensors;
};

TEST_CASE("rank: shards", "[.]") {
  const auto group = testing::JoinRanks();
  const int64_t size = group->size();
  const double ranks = static_cast<double>(size * (size + 1) / 2);
  const double own = group->rank() + 1;  // ranks' gradients differ
  const Problem problem(*group);
  Shards shards(problem.tensors, *group, kBucket);

  // Every element has one owner.
  int64_t elements = 0;
  for (const auto& piece : shards.pieces()) elements += piece.master.size(0);
  CHECK(testing::Value(group->Sum(static_cast<double>(elements))) == 41);

  for (int step = 0; step < 3; ++step) {  // nothing is left over from a step
    problem.Backward(own);
    shards.Accumulate();
    REQUIRE(shards.Reduce().ok());
    problem.Check(shards, ranks);
    shards.ExpectLastPass();
    problem.Backward(own);
    CHECK(!problem.tensors[2].tensor.grad().defined());  // taken on the way
    shards.Accumulate();
    REQUIRE(shards.Reduce().ok());
    problem.Check(shards, ranks);
    problem.Backward(own);
    shards.Accumulate();
    shards.ExpectLastPass();
    problem.Backward(2 * own);
    shards.Accumulate();
    REQUIRE(shards.Reduce().ok());
    problem.Check(shards, 3 * ranks);
  }
  // A rank without a gradient holds nobody up.
  if (group->rank() == 0) problem.Backward(1);
  shards.Accumulate();
  REQUIRE(shards.Reduce().ok());
  problem.Check(shards, 1);

  std::map<std::string, Tensor> before;
  for (const auto& trained : problem.tensors)
    before[trained.name] = trained.tensor.detach().clone();
  for (const auto& piece : shards.pieces()) piece.master.add_(1);
  REQUIRE(shards.Publish().ok());
  for (const auto& trained : problem.tensors)
    CHECK(torch::equal(trained.tensor, before.at(trained.name) + 1));

  // What was sent cannot be added to.
  shards.ExpectLastPass();
  problem.tensors[3].tensor.sum().backward();
  problem.Backward(1);
  problem.Backward(1);
  shards.Accumulate();
  CHECK_THAT(shards.Reduce().ToString(),
             Catch::Contains("came after the one that was to be"));
}

TEST_CASE("Gradients are summed into shares, masters go back to all ranks") {
  for (const int count : {2, 3, 4}) {
    const testing::TempDir dir;
    testing::Ranks(count, "rank: shards", dir.path()).Finish();
  }
}

}  // namespace
}  // namespace larr
