// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/embedding_tables.h"

#include <catch2/catch.hpp>

#include "tests/common/ctr/golden.h"

namespace larr {
namespace {

using testing::MaxDifference;
using torch::Tensor;

TEST_CASE("an id is a row of its own feature's table") {
  EmbeddingTables tables({3, 2}, 4);
  const Tensor ids = torch::tensor({{0, 0}, {2, 1}, {2, 0}}, torch::kInt64);
  const Tensor rows = torch::tensor({{0, 3}, {2, 4}, {2, 3}}, torch::kInt64);
  const Tensor expected = tables.weight().index({rows});
  REQUIRE(torch::equal(tables.Lookup(ids), expected));
  const auto gathered = tables.Gather(ids);
  REQUIRE(torch::equal(gathered.embedded_BFW.detach(), expected));
  REQUIRE(gathered.rows_U.size(0) == 4);
}

TEST_CASE("a step changes the rows it touched and no other") {
  EmbeddingTables tables({5, 5}, 4);
  RowAdam adam(tables.weight());
  const Tensor before = tables.weight().clone();
  const Tensor ids = torch::tensor({{1, 0}, {1, 3}}, torch::kInt64);
  const auto gathered = tables.Gather(ids);
  gathered.embedded_BFW.sum().backward();
  adam.Step(gathered, 1, {.learning_rate = 0.1}, tables.weight());
  const Tensor moved = (tables.weight() - before).abs().sum(1);
  for (const int64_t row : {1, 5, 8})
    REQUIRE(moved[row].item<double>() == Approx(0.4).epsilon(1e-3));
  for (const int64_t row : {0, 2, 3, 4, 6, 7, 9})
    REQUIRE(moved[row].item<double>() == 0);
  REQUIRE(adam.first[0].abs().sum().item<double>() == 0);
  // Row 1 of the first table is there twice: its gradient is 2.
  REQUIRE(adam.first[1].max().item<float>() == Approx(0.2));
  REQUIRE(adam.first[5].max().item<float>() == Approx(0.1));
}

}  // namespace
}  // namespace larr
