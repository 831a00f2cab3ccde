// SPDX-License-Identifier: Apache-2.0
#include "tools/load/latency_histogram.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <random>

namespace larr::load {
namespace {

using Duration = LatencyHistogram::Duration;

// The ceil(q n)-th smallest.
int64_t Exact(const std::vector<int64_t>& sorted, double q) {
  const auto rank =
      static_cast<int64_t>(std::ceil(q * static_cast<double>(sorted.size())));
  return sorted[std::max<int64_t>(rank, 1) - 1];
}

void CheckAgainstSorted(std::vector<int64_t> values) {
  LatencyHistogram histogram;
  for (const int64_t value : values) histogram.Record(Duration(value));
  std::ranges::sort(values);
  CHECK(histogram.count() == std::ssize(values));
  CHECK(histogram.max().count() == values.back());
  for (const double q : {0.0, 0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0}) {
    const int64_t exact = Exact(values, q),
                  found = histogram.Quantile(q).count();
    INFO("q " << q << " exact " << exact << " found " << found);
    CHECK(found >= exact);
    CHECK(found - exact <= exact / 1000);
    CHECK(found <= values.back());
  }
}

std::vector<int64_t> Draw(int count, const std::function<int64_t()>& draw) {
  std::vector<int64_t> values(count);
  std::ranges::generate(values, draw);
  return values;
}

TEST_CASE("Quantiles are those of the sorted values, to 3 digits", "[load]") {
  std::mt19937_64 random(3);
  const int count = GENERATE(1, 2, 10, 1000, 50'000);
  SECTION("a few nanoseconds") {
    CheckAgainstSorted(Draw(count, [&] { return random() % 3000; }));
  }
  SECTION("latencies with a long tail") {
    std::lognormal_distribution<double> latency(std::log(2e6), 1.5);
    CheckAgainstSorted(
        Draw(count, [&] { return static_cast<int64_t>(latency(random)); }));
  }
  SECTION("of every size") {
    CheckAgainstSorted(
        Draw(count, [&] { return random() >> (1 + random() % 63); }));
  }
  SECTION("at the edges of buckets") {
    CheckAgainstSorted(Draw(count, [&] {
      return (int64_t{1} << (random() % 62)) +
             static_cast<int64_t>(random() % 3) - 1;
    }));
  }
}

TEST_CASE("Every value up to 2047 ns has a bucket of its own", "[load]") {
  for (int64_t value = 0; value < 2048; ++value) {
    LatencyHistogram histogram;
    histogram.Record(Duration(value));
    histogram.Record(std::chrono::seconds(1));
    REQUIRE(histogram.Quantile(0.5).count() == value);
  }
}

TEST_CASE("Without values all is 0; a negative one counts as 0", "[load]") {
  LatencyHistogram histogram;
  CHECK(histogram.Quantile(0.99) == Duration(0));
  CHECK(histogram.max() == Duration(0));
  histogram.Record(Duration(-5));
  CHECK(histogram.count() == 1);
  CHECK(histogram.Quantile(1) == Duration(0));
}

}  // namespace
}  // namespace larr::load
