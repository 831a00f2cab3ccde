// SPDX-License-Identifier: Apache-2.0
//
// What the platform has counted so far. A day's partitions are written from
// the counts before any of that day's events is added.
//
// Threads:    not safe.
#pragma once

#include <cstdint>
#include <vector>

#include "examples/city/entities.h"
#include "examples/city/world.h"

namespace larr::city {

// One impression, and the dish that a click was about.
struct Event {
  int user = 0;
  int poi = 0;
  bool click = false;
  bool order = false;
  int item = 0;  // Of the POI's menu.
};

struct Counts {
  int64_t impressions = 0;
  int64_t clicks = 0;
  int64_t orders = 0;

  // Smoothed by twenty impressions, clicks or impressions at the usual rates.
  double ClickRate() const;
  double OrderRateOfClicks() const;
  double OrderRate() const;
};

struct UserHistory {
  Counts counts;
  double spent = 0;                        // Yuan.
  std::vector<int32_t> category_clicks;    // By category.
  std::vector<MenuItem> recently_ordered;  // Distinct dishes, newest first.
  std::vector<MenuItem> recently_viewed;   // Clicked but not ordered.
};

class Statistics {
 public:
  // Both must outlive the statistics.
  Statistics(const World& world, const std::vector<Poi>& pois, size_t users);

  void Add(const Event& event);

  const Counts& poi(size_t index) const { return pois_[index]; }
  const UserHistory& user(size_t index) const { return users_[index]; }

 private:
  const World& world_;
  const std::vector<Poi>& poi_table_;
  std::vector<Counts> pois_;
  std::vector<UserHistory> users_;
};

}  // namespace larr::city
