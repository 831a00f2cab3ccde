// SPDX-License-Identifier: Apache-2.0
#include "tools/market/measures.h"

#include "tests/tools/market/small_market.h"

namespace larr::market {
namespace {

TEST_CASE("Sums are those of the day's requests, user by user", "[market]") {
  const SmallMarket small;
  const auto market = small.Open();
  const int day = market->first_day();
  const auto requests = WriteSomeDay(*market, small.path("out") / "aa", day);
  TestSums sums(market->platform().users.size());
  REQUIRE(sums.AddDay(*market, requests).ok());
  REQUIRE(sums.AddDay(*market, requests).ok());
  Sums total = {};
  for (const Sums& user : sums.OfUsers()) AddTo(user, total);
  Sums expected = {};
  for (const ServedRequest& request : requests) {
    expected[kRequests] += 2;
    expected[kBestClicks] += 2 * request.bounds.best;
    for (const city::Shown& shown : request.shown) {
      const city::Poi& poi = market->platform().pois[shown.event.poi];
      expected[kImpressions] += 2;
      expected[kClicks] += 2 * shown.event.click;
      expected[kOrders] += 2 * shown.event.order;
      expected[kExpectedClicks] += 2 * shown.truth.click / 100000.0;
      expected[kNewImpressions] += 2 * (poi.opens > 0);
      if (!shown.event.order) continue;
      expected[kGmv] += 2 * market->platform()
                                .world.dishes[poi.menu[shown.event.item].dish]
                                .price;
    }
  }
  for (const Measure m : {kRequests, kBestClicks, kImpressions, kClicks,
                          kOrders, kGmv, kExpectedClicks, kNewImpressions}) {
    INFO(MeasureName(m));
    CHECK(total[m] == Approx(expected[m]));
    CHECK(total[m] > 0);
  }
  const auto users = sums.OfUsers(1, 2);
  const auto control = InArm(users, sums.arms, "control");
  const auto treatment = InArm(users, sums.arms, "treatment");
  double in_arms = 0;
  for (const auto* arm : {&control, &treatment}) {
    CHECK_FALSE(arm->empty());
    for (const Sums& user : *arm) in_arms += user[kRequests];
  }
  CHECK(in_arms == total[kRequests] / 2);

  SECTION("a user who changes arms is refused") {
    auto changed = requests;
    for (ServedRequest& request : changed) request.arm = "control";
    CHECK(absl::IsDataLoss(sums.AddDay(*market, changed)));
  }
}

}  // namespace
}  // namespace larr::market
