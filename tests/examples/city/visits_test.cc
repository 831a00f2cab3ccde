// SPDX-License-Identifier: Apache-2.0
#include "examples/city/visits.h"

#include <catch2/catch.hpp>
#include <set>

#include "common/config/text_proto.h"
#include "examples/city/embedded.h"

namespace larr::city {
namespace {

TEST_CASE("A visit has distinct open POIs of the city where the user is",
          "[city]") {
  const auto spec =
      ParseTextProto<config::v1::DatasetSpec>(std::string(kDatasetTextProto));
  REQUIRE(spec.ok());
  const auto city = MakePlatform(
      {.pois = 480, .users = 100, .impressions = 1000}, spec->split().dates());
  REQUIRE(city.ok());
  Visits visits(1, *city);
  const int day = city->calendar.first[kTest];
  visits.StartDay(day);
  int last_hour = 0, new_pois = 0;
  for (int i = 0; i < 300; ++i) {
    Random random({1, static_cast<uint64_t>(i)});
    const Visit visit = visits.Draw(i, 300, 25, random);
    CHECK(visit.moment.hour >= last_hour);
    last_hour = visit.moment.hour;
    CHECK(visit.pois.size() == 25);
    CHECK(std::set<int>(visit.pois.begin(), visit.pois.end()).size() == 25);
    for (const int poi : visit.pois) {
      CHECK(city->pois[poi].city == visit.moment.city);
      CHECK(city->pois[poi].opens <= day);
      new_pois += city->pois[poi].opens > 0;
    }
    // The same stream draws the same visit.
    Random again({1, static_cast<uint64_t>(i)});
    CHECK(visits.Draw(i, 300, 25, again).pois == visit.pois);
  }
  CHECK(last_hour > 20);
  CHECK(new_pois > 0);
}

}  // namespace
}  // namespace larr::city
