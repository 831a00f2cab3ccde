// SPDX-License-Identifier: Apache-2.0
#include "services/stage/metric_slices.h"

#include <catch2/catch.hpp>

#include "services/stage/group_sample.h"
#include "tests/services/stage/ctr_fixture.h"

namespace larr::stage {
namespace {

TEST_CASE("slices of POIs, of the dataset and of the sample in one list") {
  const testing::CtrFixture fixture;
  auto spec = fixture.dataset().spec;
  spec.MergeFrom(
      ParseTextProto<config::v1::DatasetSpec>(R"pb(
        slices { name: "wet" column: "impressions.sky" values: "rain" }
        slices { name: "old" column: "users.age" at_least: 23 })pb")
          .value());
  const Dataset dataset = OpenDataset(spec, fixture.path()).value();
  const auto slices = MetricSlices::Learn(dataset, 0.5).value();
  CHECK(slices.names() == std::vector<std::string>{"cold", "rare", "frequent",
                                                   "wet", "old", "sample"});
  auto stream = ImpressionStream::Open(
                    dataset, {.part = Part::kTest, .slice_columns = true})
                    .value();
  Impression row;
  int i = 0;
  for (; stream.Next(row).value(); ++i) {
    const auto in = slices.Of(row);
    CAPTURE(i, row.group);
    REQUIRE(in.size() == 6);
    CHECK(in[0] + in[1] + in[2] == 1);
    CHECK(in[3] == (i % 2 == 1));
    CHECK(in[4] == (i % 4 == 2));  // User 3; user 4 is in no table.
    CHECK(in[5] == IsSampled(GroupKey(row.group), 0.5));
    CHECK(in[5] == slices.InSample(row));
  }
  CHECK(i == 60);
  row.poi_id = "never shown";
  CHECK(slices.Of(row)[0]);
}

TEST_CASE("without a fraction there is no slice of that name") {
  const testing::CtrFixture fixture;
  const auto slices = MetricSlices::Learn(fixture.dataset(), 0).value();
  CHECK(slices.names() == std::vector<std::string>{"cold", "rare", "frequent"});
  CHECK(slices.pois().CountOf(PoiSlice::kFrequent) > 0);
}

}  // namespace
}  // namespace larr::stage
