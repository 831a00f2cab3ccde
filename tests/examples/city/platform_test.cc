// SPDX-License-Identifier: Apache-2.0
#include "examples/city/platform.h"

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

TEST_CASE("More days change neither POIs nor users", "[city]") {
  const CityOptions options{.pois = 240, .users = 20, .impressions = 1000};
  const auto city = MakePlatform(options, Split());
  const auto longer = MakePlatform(options, Split(), 5);
  REQUIRE((city.ok() && longer.ok()));
  CHECK(longer->calendar.days.size() == city->calendar.days.size() + 5);
  REQUIRE(city->pois.size() == 240);
  for (size_t i = 0; i < city->pois.size(); ++i) {
    CHECK(city->pois[i].opens == longer->pois[i].opens);
    CHECK(city->pois[i].popularity == longer->pois[i].popularity);
    CHECK(city->pois[i].quality == longer->pois[i].quality);
  }
  REQUIRE(city->users.size() == 20);
  for (size_t i = 0; i < city->users.size(); ++i) {
    CHECK(city->users[i].taste == longer->users[i].taste);
  }
}

TEST_CASE("Options out of range are refused by their names", "[city]") {
  CHECK_THAT(
      MakePlatform({.pois = 240, .users = 0, .impressions = 1000}, Split())
          .status()
          .ToString(),
      Catch::Contains("users is 0"));
}

}  // namespace
}  // namespace larr::city
