// SPDX-License-Identifier: Apache-2.0
#include "tools/market/market.h"

#include "tests/tools/market/small_market.h"
#include "tools/market/market_dataset.h"

namespace larr::market {
namespace {

namespace fs = std::filesystem;

TEST_CASE("A market goes on from the city's own log", "[market]") {
  const SmallMarket small;
  const auto market = small.Open();
  const fs::path folder = small.path("dataset");
  REQUIRE(MakeDataset(*market, folder).ok());
  CHECK(fs::exists(folder / "impressions/date=2025-04-10/part-0.parquet"));
  CHECK_FALSE(fs::exists(folder / "users/date=2025-04-11"));
  city::EntityPartitions entities = market->entities();
  entities.StartDay(market->first_day(), market->statistics());
  REQUIRE(entities.Write(folder, market->statistics()).ok());
  CHECK(market->Date(market->first_day()) == "2025-04-11");
  CHECK(CheckSameCity(*market, folder).ok());

  // Days go on after the city's last one, with the same POIs.
  CHECK(market->Date(market->first_day() + 3) == "2025-04-14");
  int opening = 0;
  for (const city::Poi& poi : market->platform().pois) {
    opening += poi.opens > 0;
    CHECK(poi.opens <= market->first_day() + 2);
  }
  CHECK(opening > 5);

  // Another world: the users of that morning did something else.
  city::Statistics other = market->statistics();
  other.Add({.user = 1, .poi = 2, .click = true});
  REQUIRE(entities.Write(folder, other).ok());
  CHECK(absl::IsFailedPrecondition(CheckSameCity(*market, folder)));

  // A day that was ended leaves nothing, and no link of the city is touched.
  REQUIRE(ForgetDay(folder, "2025-04-11").ok());
  CHECK_FALSE(fs::exists(folder / "users/date=2025-04-11"));
  CHECK(fs::exists(small.path("city") / "users/date=2025-04-11"));
}

TEST_CASE("A market's settings are told, and kept", "[market]") {
  const SmallMarket small;
  small.Open();
  small.Open();
  MarketOptions options = small.options();
  options.seed = 2;
  const auto other = Market::Open(options);
  CHECK(absl::IsFailedPrecondition(other.status()));
  CHECK_THAT(other.status().ToString(), Catch::Contains("--out"));
  options.candidates = 5;
  CHECK_THAT(Market::Open(options).status().ToString(),
             Catch::Contains("--candidates is 5"));
  options.candidates = 15;
  options.larr = small.path("nothing");
  CHECK(absl::IsNotFound(Market::Open(options).status()));
}

TEST_CASE("A city of unknown options has no market", "[market]") {
  const SmallMarket small;
  const fs::path file = small.path("city/city.json");
  const auto text = GENERATE(
      as<std::string>(), "[1]", R"({"options": 3})",
      R"({"options": {"seed": 3, "pois": "many", "users": 5}})", "no JSON");
  REQUIRE(WriteFileAtomically(file, text).ok());
  const auto market = Market::Open(small.options());
  CHECK(absl::IsFailedPrecondition(market.status()));
  CHECK_THAT(market.status().ToString(), Catch::Contains("larr_city"));
}

TEST_CASE("Requests are as many as on a training day, unless told",
          "[market]") {
  const SmallMarket small;
  MarketOptions options = small.options();
  options.requests = 0;
  const auto market = Market::Open(options);
  REQUIRE(market.ok());
  // 8,000 impressions x 0.55 / 5 days / 10 of a request.
  CHECK((*market)->requests() == 88);
  const int day = (*market)->first_day();
  CHECK((*market)->FirstRequest(day + 1) == (*market)->FirstRequest(day) + 88);
}

}  // namespace
}  // namespace larr::market
