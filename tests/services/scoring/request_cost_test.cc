// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/request_cost.h"

#include <catch2/catch.hpp>

namespace larr {
namespace {

TEST_CASE("Nothing is known of the cost before the first request",
          "[scoring]") {
  const RequestCost cost;
  CHECK(cost.Seconds(3, 1000) == 0);
  CHECK(cost.typical() == 0);
}

TEST_CASE("Requests of one size tell a cost in proportion to size",
          "[scoring]") {
  RequestCost cost;
  for (int i = 0; i < 10; ++i) cost.Learn(1000, 0.002);
  CHECK(cost.Seconds(1, 1000) == Approx(0.002));
  CHECK(cost.Seconds(1, 500) == Approx(0.001));
  CHECK(cost.Seconds(5, 10'000) == Approx(0.020));
  CHECK(cost.typical() == Approx(0.002));
}

TEST_CASE("Both constants are learned from requests of many sizes",
          "[scoring]") {
  RequestCost cost;
  for (int i = 0; i < 200; ++i) {
    const size_t bytes = 100 * (1 + i % 20);
    cost.Learn(bytes, 0.0005 + 1e-6 * static_cast<double>(bytes));
  }
  CHECK(cost.Seconds(1, 100) == Approx(0.0006));
  CHECK(cost.Seconds(1, 100'000) == Approx(0.1005));
  CHECK(cost.Seconds(10, 10'000) == Approx(0.015));
}

TEST_CASE("Neither constant is ever negative", "[scoring]") {
  RequestCost falling, steep;
  for (int i = 1; i <= 20; ++i) {
    falling.Learn(100 * i, 0.01 / i);
    steep.Learn(100 * i, 1e-6 * i * i);
  }
  CHECK(falling.Seconds(1, 0) > 0);
  CHECK(falling.Seconds(1, 1'000'000) > 0);
  CHECK(steep.Seconds(1, 0) >= 0);
}

TEST_CASE("A change of cost is followed", "[scoring]") {
  RequestCost cost;
  for (int i = 0; i < 1000; ++i) cost.Learn(1000, 0.001);
  for (int i = 0; i < 200; ++i) cost.Learn(1000, 0.004);
  CHECK(cost.Seconds(1, 1000) == Approx(0.004).epsilon(0.1));
}

TEST_CASE("The first requests are forgotten when they were cold", "[scoring]") {
  RequestCost cost;
  cost.Learn(1000, 0.100);
  cost.Learn(1000, 0.060);
  CHECK(cost.Seconds(1, 1000) == Approx(0.080));
  cost.Learn(1000, 0.005);
  CHECK(cost.Seconds(1, 1000) == Approx(0.005));
  // Later a cheap one is one of many.
  for (int i = 0; i < 20; ++i) cost.Learn(1000, 0.005);
  cost.Learn(1000, 0.001);
  CHECK(cost.Seconds(1, 1000) == Approx(0.0048).epsilon(0.02));
}

TEST_CASE("Requests without bytes cost their average", "[scoring]") {
  RequestCost cost;
  cost.Learn(0, 0.001);
  CHECK(cost.Seconds(3, 0) == Approx(0.003));
}

}  // namespace
}  // namespace larr
