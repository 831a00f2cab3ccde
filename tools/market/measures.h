// SPDX-License-Identifier: Apache-2.0
//
// What is counted in an online test, user by user: the user is the unit of its
// division, and a user's requests are not independent of each other.
//
// Units:      money in yuan; clicks and money that are `expected` are the
//             hidden model's, before anybody looked.
// Threads:    safe; all functions are pure.
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tools/market/day_log.h"
#include "tools/market/market.h"

namespace larr::market {

enum Measure {
  kRequests,
  kImpressions,
  kClicks,
  kOrders,
  kGmv,             // Money of the orders.
  kExpectedClicks,  // Of the lists that were shown.
  kExpectedGmv,
  kBestClicks,    // Expected of the best possible lists, ...
  kRandomClicks,  // ... and of lists in random order.
  // Of POIs that opened in the test days.
  kNewImpressions,
  kNewClicks,
  kNewExpectedClicks,
  kMeasureCount
};
using Sums = std::array<double, kMeasureCount>;

// As `requests`, `gmv`, `new_clicks`.
std::string_view MeasureName(int measure);

void AddTo(const Sums& sums, Sums& total);

// What one request adds.
Sums SumsOf(const Market& market, const ServedRequest& request);

// A number that arms are compared by.
struct Metric {
  std::string_view name;
  double (*of)(const Sums&);
  bool relative;  // The effect is a lift; else a difference.
};
std::span<const Metric> Metrics();

// The sums of a test.
struct TestSums {
  std::vector<std::string> arms;        // By user; empty: never came.
  std::vector<std::vector<Sums>> days;  // By day and user.

  explicit TestSums(size_t users) : arms(users) {}

  // Errors: kDataLoss  a user is in two arms
  absl::Status AddDay(const Market& market,
                      const std::vector<ServedRequest>& requests);

  // Those of each user over the days [begin, end).
  std::vector<Sums> OfUsers(size_t begin, size_t end) const;
  std::vector<Sums> OfUsers() const { return OfUsers(0, days.size()); }
};

// The users of `sums` that came and are in `arm`.
std::vector<Sums> InArm(const std::vector<Sums>& sums,
                        const std::vector<std::string>& arms,
                        std::string_view arm);

}  // namespace larr::market
