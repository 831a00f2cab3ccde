// SPDX-License-Identifier: Apache-2.0
#include "examples/city/visits.h"

#include <algorithm>
#include <utility>

namespace larr::city {
namespace {

constexpr double kSameDistrict = 0.7;  // Of the POIs that could be shown.
constexpr int kDrawsPerPoi = 20;       // Before a list stays short.

WeightedTable UserTable(const std::vector<User>& users) {
  std::vector<double> weights;
  for (const User& user : users) weights.push_back(user.activity);
  return WeightedTable(weights);
}

}  // namespace

Visits::Visits(uint64_t seed, const Platform& platform)
    : seed_(seed),
      platform_(platform),
      user_table_(UserTable(platform.users)) {}

Visits::Pool Visits::MakePool(const std::vector<Poi>& pois,
                              std::vector<int> members) {
  std::vector<double> weights;
  for (const int poi : members) weights.push_back(pois[poi].popularity);
  return {.pois = std::move(members), .table = WeightedTable(weights)};
}

void Visits::StartDay(int day) {
  day_ = day;
  cities_.clear();
  districts_.clear();
  const std::vector<Poi>& pois = platform_.pois;
  for (int city = 0; city < std::ssize(platform_.world.cities); ++city) {
    std::vector<int> all;
    std::vector<std::vector<int>> by_district(
        platform_.world.cities[city].districts.size());
    for (int i = 0; i < std::ssize(pois); ++i) {
      if (pois[i].city != city || pois[i].opens > day) continue;
      all.push_back(i);
      by_district[pois[i].district].push_back(i);
    }
    cities_.push_back(MakePool(pois, std::move(all)));
    districts_.emplace_back();
    for (auto& members : by_district) {
      districts_.back().push_back(MakePool(pois, std::move(members)));
    }
  }
}

std::vector<int> Visits::DrawPois(int city, int district, int most,
                                  Random& random) const {
  std::vector<int> drawn;
  for (int i = 0; i < kDrawsPerPoi * most && std::ssize(drawn) < most; ++i) {
    const Pool& near = districts_[city][district];
    const bool stays = random.Chance(kSameDistrict) && !near.table.empty();
    const Pool& pool = stays ? near : cities_[city];
    if (pool.table.empty()) continue;
    const int poi = pool.pois[pool.table.Draw(random)];
    if (std::find(drawn.begin(), drawn.end(), poi) == drawn.end()) {
      drawn.push_back(poi);
    }
  }
  return drawn;
}

Visit Visits::Draw(int64_t index, int64_t of_day, int most_pois,
                   Random& random) const {
  const double time = (static_cast<double>(index) + random.Uniform()) /
                      static_cast<double>(of_day);
  Visit visit;
  visit.user = user_table_.Draw(random);
  visit.moment = MakeMoment(seed_, platform_.world, platform_.calendar, day_,
                            HourOfShare(time), visit.user,
                            platform_.users[visit.user], random);
  visit.pois =
      DrawPois(visit.moment.city, visit.moment.district, most_pois, random);
  return visit;
}

}  // namespace larr::city
