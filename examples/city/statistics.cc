// SPDX-License-Identifier: Apache-2.0
#include "examples/city/statistics.h"

#include <algorithm>

namespace larr::city {
namespace {

constexpr double kSmoothing = 20;
constexpr double kUsualClickRate = 0.14;
constexpr double kUsualOrderRateOfClicks = 0.31;
constexpr size_t kRememberedOrders = 4;
constexpr size_t kRememberedViews = 3;

double Smoothed(int64_t count, int64_t total, double usual) {
  return (static_cast<double>(count) + kSmoothing * usual) /
         (static_cast<double>(total) + kSmoothing);
}

void Remember(std::vector<MenuItem>& items, const MenuItem& item,
              size_t limit) {
  std::erase_if(items, [&](const MenuItem& i) { return i.dish == item.dish; });
  items.insert(items.begin(), item);
  if (items.size() > limit) items.pop_back();
}

void Count(const Event& event, Counts& counts) {
  ++counts.impressions;
  counts.clicks += event.click;
  counts.orders += event.order;
}

}  // namespace

double Counts::ClickRate() const {
  return Smoothed(clicks, impressions, kUsualClickRate);
}

double Counts::OrderRateOfClicks() const {
  return Smoothed(orders, clicks, kUsualOrderRateOfClicks);
}

double Counts::OrderRate() const {
  return Smoothed(orders, impressions,
                  kUsualClickRate * kUsualOrderRateOfClicks);
}

Statistics::Statistics(const World& world, const std::vector<Poi>& pois,
                       size_t users)
    : world_(world),
      poi_table_(pois),
      pois_(pois.size()),
      users_(users, UserHistory{.category_clicks = std::vector<int32_t>(
                                    world.cuisines.size())}) {}

void Statistics::Add(const Event& event) {
  const Poi& poi = poi_table_[event.poi];
  UserHistory& user = users_[event.user];
  Count(event, pois_[event.poi]);
  Count(event, user.counts);
  if (!event.click) return;
  ++user.category_clicks[poi.category];
  const MenuItem& item = poi.menu[event.item];
  if (event.order) {
    user.spent += world_.dishes[item.dish].price;
    Remember(user.recently_ordered, item, kRememberedOrders);
  } else {
    Remember(user.recently_viewed, item, kRememberedViews);
  }
}

}  // namespace larr::city
