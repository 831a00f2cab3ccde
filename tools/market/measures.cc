// SPDX-License-Identifier: Apache-2.0
#include "tools/market/measures.h"

#include <fmt/format.h>

namespace larr::market {
namespace {

double Price(const city::Platform& platform, const city::MenuItem& item) {
  return platform.world.dishes[item.dish].price;
}

double MeanPrice(const city::Platform& platform, const city::Poi& poi) {
  double sum = 0;
  for (const city::MenuItem& item : poi.menu) sum += Price(platform, item);
  return sum / static_cast<double>(poi.menu.size());
}

double Share(int probability) {
  return static_cast<double>(probability) / city::kProbabilityScale;
}

constexpr Metric kMetrics[] = {
    {"ctr", [](const Sums& s) { return s[kClicks] / s[kImpressions]; }, true},
    {"orders_per_request",
     [](const Sums& s) { return s[kOrders] / s[kRequests]; }, true},
    {"gmv_per_request", [](const Sums& s) { return s[kGmv] / s[kRequests]; },
     true},
    {"expected_ctr",
     [](const Sums& s) { return s[kExpectedClicks] / s[kImpressions]; }, true},
    {"expected_gmv_per_request",
     [](const Sums& s) { return s[kExpectedGmv] / s[kRequests]; }, true},
    {"best_ctr", [](const Sums& s) { return s[kBestClicks] / s[kImpressions]; },
     true},
    {"random_ctr",
     [](const Sums& s) { return s[kRandomClicks] / s[kImpressions]; }, true},
    // Of what a perfect ranking gains over a random one, how much was gained.
    {"gained",
     [](const Sums& s) {
       return (s[kExpectedClicks] - s[kRandomClicks]) /
              (s[kBestClicks] - s[kRandomClicks]);
     },
     false},
    {"new_poi_share",
     [](const Sums& s) { return s[kNewImpressions] / s[kImpressions]; }, false},
    {"new_poi_ctr",
     [](const Sums& s) { return s[kNewClicks] / s[kNewImpressions]; }, true},
    {"new_poi_expected_ctr",
     [](const Sums& s) { return s[kNewExpectedClicks] / s[kNewImpressions]; },
     true},
};

}  // namespace

std::string_view MeasureName(int measure) {
  constexpr std::array<std::string_view, kMeasureCount> kNames = {
      "requests",        "impressions", "clicks",
      "orders",          "gmv",         "expected_clicks",
      "expected_gmv",    "best_clicks", "random_clicks",
      "new_impressions", "new_clicks",  "new_expected_clicks"};
  return kNames[measure];
}

std::span<const Metric> Metrics() { return kMetrics; }

void AddTo(const Sums& sums, Sums& total) {
  for (size_t m = 0; m < sums.size(); ++m) total[m] += sums[m];
}

Sums SumsOf(const Market& market, const ServedRequest& request) {
  const city::Platform& platform = market.platform();
  Sums sums = {};
  sums[kRequests] = 1;
  sums[kBestClicks] = request.bounds.best;
  sums[kRandomClicks] = request.bounds.random;
  for (const city::Shown& shown : request.shown) {
    const city::Poi& poi = platform.pois[shown.event.poi];
    const double click = Share(shown.truth.click);
    sums[kImpressions] += 1;
    sums[kClicks] += shown.event.click;
    sums[kOrders] += shown.event.order;
    if (shown.event.order) {
      sums[kGmv] += Price(platform, poi.menu[shown.event.item]);
    }
    sums[kExpectedClicks] += click;
    sums[kExpectedGmv] += Share(shown.truth.order) * MeanPrice(platform, poi);
    if (poi.opens == 0) continue;
    sums[kNewImpressions] += 1;
    sums[kNewClicks] += shown.event.click;
    sums[kNewExpectedClicks] += click;
  }
  return sums;
}

absl::Status TestSums::AddDay(const Market& market,
                              const std::vector<ServedRequest>& requests) {
  std::vector<Sums>& day = days.emplace_back(arms.size());
  for (const ServedRequest& request : requests) {
    std::string& arm = arms[request.user];
    if (arm.empty()) arm = request.arm;
    if (arm != request.arm) {
      return absl::DataLossError(fmt::format(
          "user {} was in arm `{}`, and then in `{}`",
          market.platform().users[request.user].id, arm, request.arm));
    }
    AddTo(SumsOf(market, request), day[request.user]);
  }
  return absl::OkStatus();
}

std::vector<Sums> TestSums::OfUsers(size_t begin, size_t end) const {
  std::vector<Sums> users(arms.size());
  for (size_t day = begin; day < end; ++day) {
    for (size_t user = 0; user < users.size(); ++user) {
      AddTo(days[day][user], users[user]);
    }
  }
  return users;
}

std::vector<Sums> InArm(const std::vector<Sums>& sums,
                        const std::vector<std::string>& arms,
                        std::string_view arm) {
  std::vector<Sums> users;
  for (size_t user = 0; user < sums.size(); ++user) {
    if (arms[user] == arm && sums[user][kRequests] > 0) {
      users.push_back(sums[user]);
    }
  }
  return users;
}

}  // namespace larr::market
