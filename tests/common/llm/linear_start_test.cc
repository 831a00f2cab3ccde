// SPDX-License-Identifier: Apache-2.0
#include "common/llm/whitening.h"

#include <catch2/catch.hpp>

#include "common/llm/losses.h"

namespace larr {
namespace {

using torch::Tensor;

// 3 slots far apart, and little that tells the texts of a slot apart, most of
// it along one direction.
Tensor States(const std::vector<int32_t>& slot) {
  torch::manual_seed(1);
  const auto n = static_cast<int64_t>(slot.size());
  const Tensor means = torch::randn({3, 24}) * 20;
  Tensor states = torch::randn({n, 24}) * 0.1;
  states.select(1, 5) *= 30;
  for (int64_t i = 0; i < n; ++i) states[i] += means[slot[i]];
  return states;
}

TEST_CASE("Slots' means vanish, what is left has even variance") {
  std::vector<int32_t> slot;
  for (int i = 0; i < 600; ++i) slot.push_back(i % 3);
  const Tensor states = States(slot);
  const Tensor w = ContentWhitening(states, slot);
  REQUIRE(w.sizes() == torch::IntArrayRef({24, 24}));
  const Tensor out = states.mm(w.t());
  for (int s = 0; s < 3; ++s) {
    std::vector<int64_t> rows;
    for (int64_t i = s; i < 600; i += 3) rows.push_back(i);
    const Tensor mean =
        out.index_select(0, torch::tensor(rows, torch::kInt64)).mean(0);
    CHECK(mean.abs().max().item<double>() < 0.02);
  }
  const Tensor variance = out.square().mean(0);
  // The large direction was 900 times the others.
  CHECK(variance[0].item<double>() == Approx(1).margin(0.3));
  CHECK(variance[5].item<double>() > 0.1);
  // Cosines between texts are no longer near 1.
  const Tensor unit = out / out.norm(2, 1, true);
  const Tensor cosines = unit.mm(unit.t()) - torch::eye(600);
  CHECK(std::abs(cosines.mean().item<double>()) < 0.05);
}

TEST_CASE("Fewer texts than directions are enough") {
  const std::vector<int32_t> slot = {0, 0, 1, 1, 2};
  CHECK(
      torch::isfinite(ContentWhitening(States(slot), slot)).all().item<bool>());
}

}  // namespace
}  // namespace larr
