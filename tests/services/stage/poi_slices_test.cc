// SPDX-License-Identifier: Apache-2.0
#include "services/stage/poi_slices.h"

#include <catch2/catch.hpp>

#include "tests/services/stage/ctr_fixture.h"

namespace larr::stage {
namespace {

// Shows each POI as often as it is named, on one day.
void Show(const testing::CtrFixture& fixture, int day,
          const std::vector<std::pair<std::string, int>>& counts) {
  testing::Cells rows;
  for (const auto& [poi, count] : counts) {
    for (auto& row : testing::TinyImpressions(day, count)) {
      row[2] = poi;
      rows.push_back(std::move(row));
    }
  }
  testing::WriteParquet(testing::TinyFile(fixture.path(), "impressions",
                                          testing::TinyDays()[day]),
                        testing::TinyImpressionColumns(), rows);
}

TEST_CASE("frequent POIs had half of the training rows") {
  const testing::CtrFixture fixture;
  Show(fixture, 2, {{"p0", 5}, {"p1", 3}, {"p2", 1}});  // training: two days
  Show(fixture, 3, {{"p0", 4}, {"p1", 4}, {"p2", 3}});
  Show(fixture, 4, {{"p3", 50}});  // validation
  const auto slices =
      PoiSlices::Learn(
          OpenDataset(fixture.path() / "dataset.textproto").value())
          .value();
  // 20 rows: p0 had 9 and p1 the tenth.
  CHECK(slices.Of("p0") == PoiSlice::kFrequent);
  CHECK(slices.Of("p1") == PoiSlice::kFrequent);
  CHECK(slices.Of("p2") == PoiSlice::kRare);
  CHECK(slices.Of("p3") == PoiSlice::kCold);
  CHECK(slices.CountOf(PoiSlice::kFrequent) == 2);
  CHECK(slices.CountOf(PoiSlice::kRare) == 1);
  CHECK(slices.CountOf(PoiSlice::kCold) == 0);
}

TEST_CASE("slices have the names that metrics.json uses") {
  std::string names;
  for (const PoiSlice slice : kPoiSlices)
    names += std::string(PoiSliceName(slice)) + " ";
  CHECK(names == "cold rare frequent ");
}

}  // namespace
}  // namespace larr::stage
