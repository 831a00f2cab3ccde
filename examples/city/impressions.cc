// SPDX-License-Identifier: Apache-2.0
#include "examples/city/impressions.h"

#include <fmt/format.h>

#include <algorithm>

#include "examples/city/moment.h"

namespace larr::city {
namespace {

constexpr double kSameDistrict = 0.7;  // Of the POIs that a request shows.
constexpr int kDraws = 200;            // Before a list stays short.

WeightedTable UserTable(const std::vector<User>& users) {
  std::vector<double> weights;
  for (const User& user : users) weights.push_back(user.activity);
  return WeightedTable(weights);
}

// The columns of the impressions while they grow.
struct Rows {
  Integers request_id, hour, position, click, order;
  Strings user_id, poi_id, weekday, day_type, weather, rain, situation, city;
  Numbers temperature, distance, true_ctr, true_ctcvr;

  Columns Take() &&;
};

Columns Rows::Take() && {
  return {{"request_id", std::move(request_id)},
          {"user_id", std::move(user_id)},
          {"poi_id", std::move(poi_id)},
          {"position", std::move(position)},
          {"hour", std::move(hour)},
          {"weekday", std::move(weekday)},
          {"day_type", std::move(day_type)},
          {"temperature", std::move(temperature)},
          {"rain", std::move(rain)},
          {"weather", std::move(weather)},
          {"situation", std::move(situation)},
          {"city", std::move(city)},
          {"distance_km", std::move(distance)},
          {"click", std::move(click)},
          {"order", std::move(order)},
          {"true_ctr", std::move(true_ctr)},
          {"true_ctcvr", std::move(true_ctcvr)}};
}

void AddMoment(const World& world, const Day& day, const Moment& moment,
               Rows& rows) {
  const std::string rain(RainName(moment.rain));
  rows.hour.push_back(moment.hour);
  rows.weekday.push_back(day.weekday);
  rows.day_type.push_back(day.weekend ? "weekend" : "weekday");
  rows.temperature.push_back(moment.temperature);
  rows.rain.push_back(rain);
  rows.weather.push_back(
      fmt::format("{}, {}", TemperatureBand(moment.temperature), rain));
  rows.situation.push_back(std::string(SituationName(moment.situation)));
  rows.city.push_back(world.cities[moment.city].name);
}

}  // namespace

ImpressionMaker::ImpressionMaker(uint64_t seed, const World& world,
                                 const Calendar& calendar,
                                 const std::vector<Poi>& pois,
                                 const std::vector<User>& users)
    : seed_(seed),
      world_(world),
      calendar_(calendar),
      pois_(pois),
      users_(users),
      user_table_(UserTable(users)) {}

ImpressionMaker::Pool ImpressionMaker::MakePool(const std::vector<Poi>& pois,
                                                std::vector<int> members) {
  std::vector<double> weights;
  for (const int poi : members) weights.push_back(pois[poi].popularity);
  return {.pois = std::move(members), .table = WeightedTable(weights)};
}

void ImpressionMaker::StartDay(int day) {
  day_ = day;
  cities_.clear();
  districts_.clear();
  for (int city = 0; city < std::ssize(world_.cities); ++city) {
    std::vector<int> all;
    std::vector<std::vector<int>> by_district(
        world_.cities[city].districts.size());
    for (int i = 0; i < std::ssize(pois_); ++i) {
      if (pois_[i].city != city || pois_[i].opens > day) continue;
      all.push_back(i);
      by_district[pois_[i].district].push_back(i);
    }
    cities_.push_back(MakePool(pois_, std::move(all)));
    districts_.emplace_back();
    for (auto& members : by_district) {
      districts_.back().push_back(MakePool(pois_, std::move(members)));
    }
  }
}

std::vector<int> ImpressionMaker::DrawPois(int city, int district,
                                           Random& random) const {
  std::vector<int> drawn;
  for (int i = 0; i < kDraws && std::ssize(drawn) < kImpressionsPerRequest;
       ++i) {
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

absl::StatusOr<Chunk> ImpressionMaker::Make(const RequestRange& range) const {
  Chunk chunk;
  Rows rows;
  for (int64_t i = range.begin; i < range.end; ++i) {
    const int64_t id = range.first_id + (i - range.begin);
    Random random({seed_, Random::kRequest, static_cast<uint64_t>(id)});
    const double time = (static_cast<double>(i) + random.Uniform()) /
                        static_cast<double>(range.of_day);
    const int user_index = user_table_.Draw(random);
    const User& user = users_[user_index];
    const Moment moment =
        MakeMoment(seed_, world_, calendar_, day_, HourOfShare(time),
                   user_index, user, random);
    const auto pois = DrawPois(moment.city, moment.district, random);
    for (int position = 0; position < std::ssize(pois); ++position) {
      const Poi& poi = pois_[pois[position]];
      const double distance = Distance(moment.position, poi.position);
      const TrueProbabilities truth = ComputeProbabilities(
          ComputeEffects(world_, user, poi, moment), poi, distance, position);
      const int u = random.Below(kProbabilityScale);
      const Event event{
          .user = user_index,
          .poi = pois[position],
          .click = u < truth.click,
          .order = u < truth.order,
          .item = random.Below(static_cast<int>(poi.menu.size()))};
      AddMoment(world_, calendar_.days[day_], moment, rows);
      rows.request_id.push_back(id);
      rows.user_id.push_back(user.id);
      rows.poi_id.push_back(poi.id);
      rows.position.push_back(position);
      rows.distance.push_back(distance);
      rows.click.push_back(event.click);
      rows.order.push_back(event.order);
      rows.true_ctr.push_back(static_cast<double>(truth.click) /
                              kProbabilityScale);
      rows.true_ctcvr.push_back(static_cast<double>(truth.order) /
                                kProbabilityScale);
      chunk.events.push_back(event);
      chunk.truth.push_back(truth);
    }
  }
  auto columns = Encode(std::move(rows).Take());
  if (!columns.ok()) return columns.status();
  chunk.columns = *std::move(columns);
  return chunk;
}

}  // namespace larr::city
