// SPDX-License-Identifier: Apache-2.0
#include "tools/market/bootstrap.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "examples/city/random.h"

namespace larr::market {
namespace {

constexpr int kCtr = 0;  // Position of the metric.

// Users of all sorts: active or not, inclined to click or not.
std::vector<Sums> SomeUsers(int count, double lift, city::Random& random) {
  std::vector<Sums> users;
  for (int i = 0; i < count; ++i) {
    Sums user = {};
    const double rate =
        city::Logistic(-1.2 + 0.7 * random.Normal()) * (1 + lift);
    user[kRequests] = 1 + random.Below(12);
    user[kImpressions] = 10 * user[kRequests];
    for (int n = 0; n < user[kImpressions]; ++n) {
      user[kClicks] += random.Chance(rate);
    }
    users.push_back(user);
  }
  return users;
}

TEST_CASE("Alike arms seldom differ, and a difference is found", "[market]") {
  REQUIRE(Metrics()[kCtr].name == "ctr");
  city::Random random({1});
  int alike = 0, found = 0, covered = 0;
  constexpr int kTests = 200;
  for (int i = 0; i < kTests; ++i) {
    const auto control = SomeUsers(150, 0, random);
    const auto same =
        Compare(Metrics(), control, SomeUsers(150, 0, random), i, 200);
    alike += !same[kCtr].excludes_zero();
    const auto better =
        Compare(Metrics(), control, SomeUsers(150, 0.3, random), i, 200);
    found += better[kCtr].excludes_zero() && better[kCtr].effect > 0;
    covered += better[kCtr].low < 0.3 && better[kCtr].high > 0.3;
  }
  CHECK(alike >= kTests * 0.90);
  CHECK(alike <= kTests * 0.99);
  CHECK(found >= kTests * 0.9);
  CHECK(covered >= kTests * 0.88);
}

TEST_CASE("Users against themselves show what their differences would hide",
          "[market]") {
  city::Random random({2});
  const auto before = SomeUsers(150, 0, random);
  auto after = before;
  for (Sums& user : after) {
    user[kClicks] += std::round(0.05 * user[kClicks]);
  }
  const auto paired = ComparePaired(Metrics(), before, after, 1)[kCtr];
  const auto apart = Compare(Metrics(), before, after, 1)[kCtr];
  CHECK(paired.effect == apart.effect);
  CHECK(paired.excludes_zero());
  CHECK_FALSE(apart.excludes_zero());
  CHECK(paired.high - paired.low < 0.3 * (apart.high - apart.low));
}

TEST_CASE("What cannot be said is no number, and the seed decides the rest",
          "[market]") {
  city::Random random({3});
  const auto a = SomeUsers(50, 0, random), b = SomeUsers(50, 0, random);
  const auto first = Compare(Metrics(), a, b, 5);
  const auto second = Compare(Metrics(), a, b, 5);
  const auto other = Compare(Metrics(), a, b, 6);
  CHECK(first[kCtr].low == second[kCtr].low);
  CHECK(first[kCtr].low != other[kCtr].low);
  CHECK(first[kCtr].effect == other[kCtr].effect);
  for (size_t m = 0; m < Metrics().size(); ++m) {
    if (Metrics()[m].name != "new_poi_ctr") continue;
    CHECK(std::isnan(first[m].effect));
    CHECK(std::isnan(first[m].low));
    CHECK_FALSE(first[m].excludes_zero());
  }
}

}  // namespace
}  // namespace larr::market
