// SPDX-License-Identifier: Apache-2.0
#include "tools/market/oracle.h"

#include <numeric>

#include "tests/tools/market/small_market.h"

namespace larr::market {
namespace {

// Expected clicks of the list in this order of the candidates.
double Clicks(const Market& market, const std::vector<Candidate>& candidates,
              const std::vector<int>& order) {
  double clicks = 0;
  const int shown = std::min<int>(kShown, std::ssize(order));
  for (int p = 0; p < shown; ++p) {
    clicks +=
        TruthAt(market.platform(), candidates[order[p]], p).click / 100000.0;
  }
  return clicks;
}

TEST_CASE("No list beats the best one, and random ones are on average random",
          "[market]") {
  const SmallMarket small;
  const auto market = small.Open();
  city::Visits visits(market->city_seed(), market->platform());
  visits.StartDay(market->first_day());
  city::Random random({4});
  for (int i = 0; i < 20; ++i) {
    const auto candidates =
        CandidatesOf(market->platform(), visits.Draw(i, 20, 15, random));
    REQUIRE(candidates.size() > kShown);
    const Bounds bounds = ClickBounds(market->platform(), candidates);
    std::vector<int> order(candidates.size());
    std::iota(order.begin(), order.end(), 0);
    double sum = 0;
    constexpr int kOrders = 2000;
    for (int n = 0; n < kOrders; ++n) {
      for (int k = static_cast<int>(order.size()) - 1; k > 0; --k) {
        std::swap(order[k], order[random.Below(k + 1)]);
      }
      const double clicks = Clicks(*market, candidates, order);
      REQUIRE(clicks <= bounds.best + 1e-9);
      sum += clicks;
    }
    CHECK(sum / kOrders == Approx(bounds.random).epsilon(0.03));
    CHECK(bounds.random < bounds.best);
  }
}

}  // namespace
}  // namespace larr::market
