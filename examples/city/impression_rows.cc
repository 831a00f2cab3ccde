// SPDX-License-Identifier: Apache-2.0
#include "examples/city/impression_rows.h"

#include <fmt/format.h>

#include <string>
#include <type_traits>
#include <utility>
#include <variant>

namespace larr::city {
namespace {

// Appends the one row of `from`, which has the columns of `to`.
void Append(const Columns& from, Columns& to) {
  if (to.empty()) {
    to = from;
    return;
  }
  for (size_t c = 0; c < to.size(); ++c) {
    std::visit(
        [&](auto& values) {
          using Values = std::decay_t<decltype(values)>;
          values.push_back(std::get<Values>(from[c].values).front());
        },
        to[c].values);
  }
}

}  // namespace

Columns MomentColumns(const World& world, const Day& day,
                      const Moment& moment) {
  const std::string rain(RainName(moment.rain));
  const std::string weather =
      fmt::format("{}, {}", TemperatureBand(moment.temperature), rain);
  const std::string situation(SituationName(moment.situation));
  return {{"hour", Integers{moment.hour}},
          {"weekday", Strings{day.weekday}},
          {"day_type", Strings{day.weekend ? "weekend" : "weekday"}},
          {"temperature", Numbers{moment.temperature}},
          {"rain", Strings{rain}},
          {"weather", Strings{weather}},
          {"situation", Strings{situation}},
          {"city", Strings{world.cities[moment.city].name}}};
}

void ImpressionRows::Add(const Columns& moment, const Shown& shown) {
  Append(moment, moments_);
  request_id_.push_back(shown.request_id);
  user_id_.push_back(platform_.users[shown.event.user].id);
  poi_id_.push_back(platform_.pois[shown.event.poi].id);
  position_.push_back(shown.position);
  distance_.push_back(shown.distance);
  click_.push_back(shown.event.click);
  order_.push_back(shown.event.order);
  true_ctr_.push_back(static_cast<double>(shown.truth.click) /
                      kProbabilityScale);
  true_ctcvr_.push_back(static_cast<double>(shown.truth.order) /
                        kProbabilityScale);
}

absl::StatusOr<EncodedColumns> ImpressionRows::Take() {
  Columns columns = {{"request_id", std::exchange(request_id_, {})},
                     {"user_id", std::exchange(user_id_, {})},
                     {"poi_id", std::exchange(poi_id_, {})},
                     {"position", std::exchange(position_, {})}};
  for (Column& column : std::exchange(moments_, {})) {
    columns.push_back(std::move(column));
  }
  columns.push_back({"distance_km", std::exchange(distance_, {})});
  columns.push_back({"click", std::exchange(click_, {})});
  columns.push_back({"order", std::exchange(order_, {})});
  columns.push_back({"true_ctr", std::exchange(true_ctr_, {})});
  columns.push_back({"true_ctcvr", std::exchange(true_ctcvr_, {})});
  return Encode(columns);
}

}  // namespace larr::city
