// SPDX-License-Identifier: Apache-2.0
#include "examples/city/partitions.h"

#include <algorithm>

#include "common/base/status_macros.h"
#include "examples/city/tables.h"

namespace larr::city {
namespace {

// The category clicked most; none without clicks.
std::optional<std::string> FavouriteCategory(const World& world,
                                             const UserHistory& user) {
  const auto most = std::max_element(user.category_clicks.begin(),
                                     user.category_clicks.end());
  if (*most == 0) return std::nullopt;
  return world.cuisines[most - user.category_clicks.begin()];
}

std::string SpendLevel(const UserHistory& user) {
  if (user.counts.orders == 0) return "spends unknown";
  return "spends " +
         PriceText(user.spent / static_cast<double>(user.counts.orders));
}

}  // namespace

EntityPartitions::EntityPartitions(uint64_t seed, const Platform& platform)
    : platform_(platform), histories_(platform.users.size()) {
  for (size_t i = 0; i < platform.pois.size(); ++i) {
    poi_texts_.push_back(MakePoiTexts(seed, static_cast<int>(i), platform.world,
                                      platform.pois[i]));
  }
}

void EntityPartitions::StartDay(int day, const Statistics& statistics) {
  day_ = day;
  if (!platform_.calendar.days[day].refreshes_history) return;
  for (size_t i = 0; i < histories_.size(); ++i) {
    histories_[i] = HistoryText(platform_.world, statistics.user(i));
  }
}

absl::Status EntityPartitions::Write(const std::filesystem::path& folder,
                                     const Statistics& statistics) const {
  LARR_RETURN_IF_ERROR(WritePois(folder / "pois", statistics));
  return WriteUsers(folder / "users", statistics);
}

absl::Status EntityPartitions::WritePois(const std::filesystem::path& folder,
                                         const Statistics& statistics) const {
  const World& world = platform_.world;
  Strings id, name, area, district, city, category, menu, introduction, tags,
      orders_level, price_level;
  Numbers average_price, ctr, ctcvr;
  Integers impressions, orders;
  const std::vector<std::string> truth_columns = MenuTruthColumns(world);
  std::vector<Numbers> truth(truth_columns.size());
  for (size_t i = 0; i < platform_.pois.size(); ++i) {
    const Poi& poi = platform_.pois[i];
    if (poi.opens > day_) continue;
    const Counts& counts = statistics.poi(i);
    const District& where = world.cities[poi.city].districts[poi.district];
    id.push_back(poi.id);
    name.push_back(poi_texts_[i].name);
    area.push_back(where.places[poi.place]);
    district.push_back(where.name);
    city.push_back(world.cities[poi.city].name);
    category.push_back(world.cuisines[poi.category]);
    menu.push_back(poi_texts_[i].menu);
    introduction.push_back(poi_texts_[i].introduction);
    tags.push_back(poi_texts_[i].tags);
    average_price.push_back(poi.average_price);
    orders_level.push_back(PoiOrdersLevel(counts.orders));
    price_level.push_back(PriceText(poi.average_price));
    impressions.push_back(counts.impressions);
    orders.push_back(counts.orders);
    ctr.push_back(counts.ClickRate());
    ctcvr.push_back(counts.OrderRate());
    const std::vector<double> of_menu = MenuTruth(poi);
    for (size_t t = 0; t < truth.size(); ++t) truth[t].push_back(of_menu[t]);
  }
  Columns columns = {{"poi_id", std::move(id)},
                     {"name", std::move(name)},
                     {"area", std::move(area)},
                     {"district", std::move(district)},
                     {"city", std::move(city)},
                     {"category", std::move(category)},
                     {"menu", std::move(menu)},
                     {"introduction", std::move(introduction)},
                     {"tags", std::move(tags)},
                     {"average_price", std::move(average_price)},
                     {"orders_level", std::move(orders_level)},
                     {"price_level", std::move(price_level)},
                     {"past_impressions", std::move(impressions)},
                     {"past_orders", std::move(orders)},
                     {"past_ctr", std::move(ctr)},
                     {"past_ctcvr", std::move(ctcvr)}};
  for (size_t t = 0; t < truth.size(); ++t)
    columns.push_back({truth_columns[t], std::move(truth[t])});
  return WritePartition(folder, platform_.calendar.days[day_].date, columns);
}

absl::Status EntityPartitions::WriteUsers(const std::filesystem::path& folder,
                                          const Statistics& statistics) const {
  const World& world = platform_.world;
  Strings id, gender, age_group, occupation, home_city, origin, history,
      favourite, orders_level, clicks_level, spend_level;
  Integers impressions, orders;
  Numbers ctr, cvr;
  for (size_t i = 0; i < platform_.users.size(); ++i) {
    const User& user = platform_.users[i];
    const UserHistory& past = statistics.user(i);
    id.push_back(user.id);
    gender.push_back(user.gender);
    age_group.push_back(user.age_group);
    occupation.push_back(user.occupation);
    home_city.push_back(world.cities[user.city].name);
    origin.push_back(world.cities[user.origin].region);
    history.push_back(histories_[i]);
    favourite.push_back(FavouriteCategory(world, past));
    orders_level.push_back(UserOrdersLevel(past.counts.orders));
    clicks_level.push_back(ClicksLevel(past.counts.clicks));
    spend_level.push_back(SpendLevel(past));
    impressions.push_back(past.counts.impressions);
    orders.push_back(past.counts.orders);
    ctr.push_back(past.counts.ClickRate());
    cvr.push_back(past.counts.OrderRateOfClicks());
  }
  return WritePartition(folder, platform_.calendar.days[day_].date,
                        {{"user_id", std::move(id)},
                         {"gender", std::move(gender)},
                         {"age_group", std::move(age_group)},
                         {"occupation", std::move(occupation)},
                         {"home_city", std::move(home_city)},
                         {"origin", std::move(origin)},
                         {"history", std::move(history)},
                         {"favourite_category", std::move(favourite)},
                         {"orders_level", std::move(orders_level)},
                         {"clicks_level", std::move(clicks_level)},
                         {"spend_level", std::move(spend_level)},
                         {"past_impressions", std::move(impressions)},
                         {"past_orders", std::move(orders)},
                         {"past_ctr", std::move(ctr)},
                         {"past_cvr", std::move(cvr)}});
}

}  // namespace larr::city
