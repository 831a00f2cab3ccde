// SPDX-License-Identifier: Apache-2.0
#include "examples/city/calendar.h"

#include <catch2/catch.hpp>

#include "common/config/text_proto.h"
#include "examples/city/embedded.h"

namespace larr::city {
namespace {

config::v1::DateSplit Split() {
  const auto spec =
      ParseTextProto<config::v1::DatasetSpec>(std::string(kDatasetTextProto));
  REQUIRE(spec.ok());
  return spec->split().dates();
}

TEST_CASE("The calendar follows the spec's split", "[city]") {
  const auto calendar = MakeCalendar(Split());
  REQUIRE(calendar.ok());
  CHECK(calendar->days.size() == 18);
  CHECK(calendar->days[calendar->first[kTest]].date == Split().test_begin());
  CHECK(calendar->length[kTest] == 3);
  CHECK(calendar->length[kValidation] == 1);
  CHECK(calendar->days.front().date == "2025-03-27");
  CHECK(calendar->days.front().weekday == "Thursday");
  CHECK_FALSE(calendar->days.front().refreshes_history);
  CHECK(calendar->days[calendar->first[kTest]].refreshes_history);
  CHECK(calendar->days.back().weekend);
}

TEST_CASE("A test that lasts longer changes no day before", "[city]") {
  const auto calendar = MakeCalendar(Split()),
             longer = MakeCalendar(Split(), 4);
  REQUIRE((calendar.ok() && longer.ok()));
  CHECK(longer->length[kTest] == 7);
  CHECK(longer->first == calendar->first);
  REQUIRE(longer->days.size() == 22);
  for (size_t i = 0; i < calendar->days.size(); ++i) {
    CHECK(longer->days[i].date == calendar->days[i].date);
    CHECK(longer->days[i].refreshes_history ==
          calendar->days[i].refreshes_history);
  }
  CHECK(longer->days.back().date == "2025-04-17");
  CHECK(longer->days.back().weekday == "Thursday");
}

TEST_CASE("A calendar of wrong dates is refused", "[city]") {
  config::v1::DateSplit split = Split();
  split.set_train_begin("2025-13-01");
  CHECK_THAT(MakeCalendar(split).status().ToString(),
             Catch::Contains("2025-13-01"));
  split.set_train_begin(split.pairs_begin());
  CHECK_FALSE(MakeCalendar(split).ok());
}

}  // namespace
}  // namespace larr::city
