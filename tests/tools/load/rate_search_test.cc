// SPDX-License-Identifier: Apache-2.0
#include "tools/load/rate_search.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "tools/load/arrivals.h"

namespace larr::load {
namespace {

// 99 % of some 2,000 calls wait at most `bound` seconds for a worker who does
// `capacity` a second; no clock, no threads.
bool QueueHolds(double capacity, double rate, double bound, uint64_t seed) {
  PoissonArrivals arrivals(seed);
  double now = 0, free = 0;
  int calls = 0, good = 0;
  while (now < 2000 / rate) {
    now += std::chrono::duration<double>(arrivals.NextGap(rate)).count();
    free = std::max(free, now) + 1 / capacity;
    ++calls;
    good += free - now <= bound;
  }
  return 100 * good >= 99 * calls;
}

TEST_CASE("The rate found is a queue's capacity", "[load]") {
  const double capacity = GENERATE(7.0, 130.0, 800.0, 12'345.0);
  uint64_t seed = 0;
  int confirmed = 0;
  double last = 0;
  const auto rate = FindRate([&](double rate, bool confirming) {
    if (rate != last || !confirming) confirmed = 0;
    last = rate;
    const bool holds = QueueHolds(capacity, rate, 20 / capacity, ++seed);
    confirmed += confirming && holds;
    return holds;
  });
  REQUIRE(rate.ok());
  CHECK(*rate > 0.8 * capacity);
  CHECK(*rate < 1.15 * capacity);
  CHECK(confirmed == 3);
  CHECK(last == *rate);
}

TEST_CASE("A hiccup now and then does not lower the rate", "[load]") {
  int tries = 0;
  const auto rate = FindRate(
      [&](double rate, bool) { return rate <= 400 && ++tries % 3 != 0; });
  REQUIRE(rate.ok());
  CHECK(*rate > 400 / 1.1);
  CHECK(*rate <= 400);
}

TEST_CASE("A rate that held by luck is lowered until it holds again and again",
          "[load]") {
  const auto rate = FindRate([&](double rate, bool confirming) {
    return rate <= (confirming ? 380 : 400);
  });
  REQUIRE(rate.ok());
  CHECK(*rate <= 380);
  CHECK(*rate > 380 / 1.1);
}

TEST_CASE("What has no highest rate is said to have none", "[load]") {
  const auto none = FindRate([](double, bool) { return false; });
  CHECK(absl::IsFailedPrecondition(none.status()));
  CHECK_THAT(std::string(none.status().message()), Catch::Contains("--p99"));
  const auto any = FindRate([](double, bool) { return true; });
  CHECK_THAT(std::string(any.status().message()), Catch::Contains("still"));
  const auto unsteady = FindRate(
      [](double rate, bool confirming) { return rate < 300 && !confirming; });
  CHECK_THAT(std::string(unsteady.status().message()),
             Catch::Contains("not steady"));
}

}  // namespace
}  // namespace larr::load
