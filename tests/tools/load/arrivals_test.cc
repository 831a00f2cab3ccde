// SPDX-License-Identifier: Apache-2.0
#include "tools/load/arrivals.h"

#include <catch2/catch.hpp>
#include <cmath>

namespace larr::load {
namespace {

TEST_CASE("Gaps are those of a Poisson process of the rate", "[load]") {
  constexpr int kGaps = 100'000;
  constexpr double kRate = 250;
  PoissonArrivals arrivals(7);
  double sum = 0, squares = 0;
  int beyond = 0;
  for (int i = 0; i < kGaps; ++i) {
    const double gap =
        std::chrono::duration<double>(arrivals.NextGap(kRate)).count() * kRate;
    REQUIRE(gap >= 0);
    sum += gap;
    squares += gap * gap;
    beyond += gap > 3;
  }
  CHECK(sum / kGaps == Approx(1).epsilon(0.02));
  CHECK(squares / kGaps == Approx(2).epsilon(0.05));
  CHECK(beyond == Approx(kGaps * std::exp(-3)).epsilon(0.06));
}

TEST_CASE("A seed gives its own gaps, again and again", "[load]") {
  PoissonArrivals one(1), again(1), other(2);
  const auto first = one.NextGap(10);
  CHECK(again.NextGap(10) == first);
  CHECK(other.NextGap(10) != first);
}

}  // namespace
}  // namespace larr::load
