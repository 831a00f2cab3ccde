// SPDX-License-Identifier: Apache-2.0
#include "examples/city/impressions.h"

#include <utility>

#include "examples/city/impression_rows.h"
#include "examples/city/random.h"

namespace larr::city {

ImpressionMaker::ImpressionMaker(uint64_t seed, const Platform& platform)
    : seed_(seed), platform_(platform), visits_(seed, platform) {}

void ImpressionMaker::StartDay(int day) {
  day_ = day;
  visits_.StartDay(day);
}

absl::StatusOr<Chunk> ImpressionMaker::Make(const RequestRange& range) const {
  Chunk chunk;
  ImpressionRows rows(platform_);
  for (int64_t i = range.begin; i < range.end; ++i) {
    const int64_t id = range.first_id + (i - range.begin);
    Random random({seed_, Random::kRequest, static_cast<uint64_t>(id)});
    const Visit visit =
        visits_.Draw(i, range.of_day, kImpressionsPerRequest, random);
    const User& user = platform_.users[visit.user];
    const Columns moment = MomentColumns(
        platform_.world, platform_.calendar.days[day_], visit.moment);
    for (int position = 0; position < std::ssize(visit.pois); ++position) {
      const Poi& poi = platform_.pois[visit.pois[position]];
      Shown shown{.request_id = id,
                  .position = position,
                  .distance = Distance(visit.moment.position, poi.position)};
      shown.truth = ComputeProbabilities(
          ComputeEffects(platform_.world, user, poi, visit.moment), poi,
          shown.distance, position);
      shown.event =
          DrawEvent(visit.user, visit.pois[position], poi, shown.truth, random);
      rows.Add(moment, shown);
      chunk.events.push_back(shown.event);
      chunk.truth.push_back(shown.truth);
    }
  }
  auto columns = rows.Take();
  if (!columns.ok()) return columns.status();
  chunk.columns = *std::move(columns);
  return chunk;
}

}  // namespace larr::city
