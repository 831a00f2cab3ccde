// SPDX-License-Identifier: Apache-2.0
#include "tools/market/day_log.h"

#include "common/dataset/dataset_spec.h"
#include "common/dataset/validate_dataset.h"
#include "tests/tools/market/small_market.h"
#include "tools/market/market_dataset.h"

namespace larr::market {
namespace {

namespace fs = std::filesystem;

TEST_CASE("What is read of a day is what was written", "[market]") {
  const SmallMarket small;
  const auto market = small.Open();
  const fs::path folder = small.path("out") / "aa";
  const int day = market->first_day();
  const auto written = WriteSomeDay(*market, folder, day);
  const auto read = ReadDay(*market, folder, day);
  INFO(read.status().ToString());
  REQUIRE(read.ok());
  REQUIRE(read->size() == written.size());
  int clicks = 0;
  for (size_t i = 0; i < written.size(); ++i) {
    const ServedRequest &a = written[i], &b = (*read)[i];
    CHECK(a.id == b.id);
    CHECK(a.user == b.user);
    CHECK(a.arm == b.arm);
    CHECK(a.bounds.best == b.bounds.best);
    CHECK(a.bounds.random == b.bounds.random);
    REQUIRE(a.shown.size() == b.shown.size());
    for (size_t p = 0; p < a.shown.size(); ++p) {
      CHECK(a.shown[p].request_id == b.shown[p].request_id);
      CHECK(a.shown[p].position == b.shown[p].position);
      CHECK(a.shown[p].distance == b.shown[p].distance);
      CHECK(a.shown[p].truth.click == b.shown[p].truth.click);
      CHECK(a.shown[p].truth.order == b.shown[p].truth.order);
      CHECK(a.shown[p].event.user == b.shown[p].event.user);
      CHECK(a.shown[p].event.poi == b.shown[p].event.poi);
      CHECK(a.shown[p].event.click == b.shown[p].event.click);
      CHECK(a.shown[p].event.order == b.shown[p].event.order);
      CHECK(a.shown[p].event.item == b.shown[p].event.item);
      clicks += a.shown[p].event.click;
    }
  }
  CHECK(clicks > 0);
}

TEST_CASE("A market day is a day of the dataset", "[market]") {
  const SmallMarket small;
  const auto market = small.Open();
  const fs::path folder = small.path("out") / "aa";
  REQUIRE(MakeDataset(*market, folder / "dataset").ok());
  city::EntityPartitions entities = market->entities();
  entities.StartDay(market->first_day(), market->statistics());
  REQUIRE(entities.Write(folder / "dataset", market->statistics()).ok());
  WriteSomeDay(*market, folder, market->first_day());
  const auto dataset = OpenDataset(folder / "dataset/dataset.textproto");
  INFO(dataset.status().ToString());
  REQUIRE(dataset.ok());
  CHECK(dataset->days().back() == "2025-04-11");
  const auto report = ValidateDataset(*dataset);
  INFO(report.status().ToString());
  REQUIRE(report.ok());
  CHECK_FALSE(report->has_leak());
}

TEST_CASE("A POI that is shown at that moment brings the same to everybody",
          "[market]") {
  const SmallMarket small;
  const auto market = small.Open();
  int clicks = 0, differ = 0;
  for (int64_t request = 0; request < 2000; ++request) {
    const auto low = EventOf(*market, request, 1, 7, {.click = 20000});
    const auto high = EventOf(*market, request, 1, 7, {.click = 60000});
    const auto again = EventOf(*market, request, 1, 7, {.click = 20000});
    const auto other = EventOf(*market, request, 1, 8, {.click = 20000});
    CHECK(low.click == again.click);
    CHECK(low.item == high.item);
    if (low.click) CHECK(high.click);
    clicks += low.click;
    differ += low.click != other.click;
  }
  CHECK(clicks == Approx(400).margin(60));
  CHECK(differ > 500);
}

TEST_CASE("A log that this market did not write is refused", "[market]") {
  const SmallMarket small;
  const auto market = small.Open();
  const fs::path folder = small.path("out") / "aa";
  const int day = market->first_day();
  WriteSomeDay(*market, folder, day);
  const std::string next = "date=" + market->Date(day + 1);
  for (const char* table : {"dataset/impressions", "requests"}) {
    fs::rename(folder / table / ("date=" + market->Date(day)),
               folder / table / next);
  }
  CHECK(ReadDay(*market, folder, day + 1).ok());
  MarketOptions options = small.options();
  options.out = small.path("other");
  options.seed = 77;
  const auto other = Market::Open(options);
  REQUIRE(other.ok());
  CHECK(absl::IsDataLoss(ReadDay(**other, folder, day + 1).status()));
  CHECK(absl::IsNotFound(ReadDay(*market, folder, day).status()));
}

}  // namespace
}  // namespace larr::market
