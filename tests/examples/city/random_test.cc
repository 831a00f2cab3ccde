// SPDX-License-Identifier: Apache-2.0
#include "examples/city/random.h"

#include <array>
#include <catch2/catch.hpp>
#include <cmath>

namespace larr::city {
namespace {

TEST_CASE("Random gives the same bits everywhere", "[city]") {
  Random random({1, 2, 3});
  CHECK(random.Next() == 2399657773382937285u);
  CHECK(Random({1, 2, 3}).Next() != Random({1, 3, 2}).Next());
}

TEST_CASE("Random's distributions have the moments that they claim", "[city]") {
  Random random({7});
  constexpr int kDraws = 200000;
  double uniform = 0, normal = 0, squares = 0;
  std::array<int, 3> below = {};
  std::array<int, 3> weighted = {};
  const std::array<double, 3> weights = {1, 0, 3};
  for (int i = 0; i < kDraws; ++i) {
    uniform += random.Uniform();
    const double z = random.Normal();
    normal += z;
    squares += z * z;
    ++below[random.Below(3)];
    ++weighted[random.Weighted(weights)];
  }
  CHECK(uniform / kDraws == Approx(0.5).margin(0.005));
  CHECK(normal / kDraws == Approx(0).margin(0.01));
  CHECK(squares / kDraws == Approx(1).margin(0.01));
  CHECK(below[2] == Approx(kDraws / 3.0).epsilon(0.02));
  CHECK(weighted[1] == 0);
  CHECK(weighted[2] == Approx(kDraws * 0.75).epsilon(0.01));
}

TEST_CASE("WeightedTable draws like Weighted", "[city]") {
  const std::array<double, 4> weights = {0, 2, 0, 6};
  const WeightedTable table(weights);
  Random random({9});
  std::array<int, 4> counts = {};
  for (int i = 0; i < 40000; ++i) ++counts[table.Draw(random)];
  CHECK(counts[0] + counts[2] == 0);
  CHECK(counts[1] == Approx(10000).epsilon(0.05));
}

TEST_CASE("Exp, Log and Logistic agree with the library", "[city]") {
  for (double x = -30; x <= 30; x += 0.37) {
    CHECK(Exp(x) == Approx(std::exp(x)).epsilon(1e-13));
    CHECK(Log(std::exp(x)) == Approx(x).margin(1e-13));
    CHECK(Logistic(x) == Approx(1 / (1 + std::exp(-x))).epsilon(1e-13));
  }
  CHECK(Exp(-800) == 0);
}

}  // namespace
}  // namespace larr::city
