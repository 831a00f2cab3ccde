// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/agg_attention.h"

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
Tensor Plain(const Tensor& table, const Tensor& index, int64_t heads) {
  const int64_t b = index.size(0), n = index.size(1);
  const int64_t c = table.size(1) - heads;
  const Tensor rows = at::embedding(table, index);  // [B, n, H + C]
  const Tensor weights = rows.narrow(2, 0, heads).softmax(1);
  const Tensor values =
      rows.narrow(2, heads, c).reshape({b, n, heads, c / heads});
  return (weights.unsqueeze(3) * values).sum(1).reshape({b, c});
}

TEST_CASE("attention and its gradient are those of the plain operations") {
  std::mt19937 random(6);
  const auto draw = [&](int least, int most) {
    return std::uniform_int_distribution<int>(least, most)(random);
  };
  for (int round = 0; round < 40; ++round) {
    torch::manual_seed(round);
    const int64_t heads = draw(1, 5), width = draw(1, 40);
    const int64_t tokens = draw(1, 30), rows = draw(1, 200), n = draw(1, 20);
    const Tensor table =
        (2 * torch::randn({tokens, heads * (1 + width)})).requires_grad_(true);
    const Tensor index = torch::randint(tokens, {rows, n}, torch::kInt64);
    const Tensor ours = AttendFromAgg(table, index, heads);
    const Tensor plain = Plain(table, index, heads);
    CAPTURE(heads, width, tokens, rows, n);
    REQUIRE(MaxDifference(ours.detach(), plain.detach()) < 1e-5);
    const Tensor weight = torch::randn_like(plain);
    const Tensor of_plain =
        torch::autograd::grad({(plain * weight).sum()}, {table})[0];
    const Tensor of_ours =
        torch::autograd::grad({(ours * weight).sum()}, {table})[0];
    REQUIRE(MaxDifference(of_ours, of_plain) <
            1e-5 * (1 + of_plain.abs().max().item<double>()));
  }
}

}  // namespace
}  // namespace larr
