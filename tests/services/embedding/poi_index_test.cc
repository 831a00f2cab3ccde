// SPDX-License-Identifier: Apache-2.0
#include "services/embedding/poi_index.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "tests/testing/snapshot_fixture.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using testing::IdOf;
using testing::VectorOf;

constexpr int kDim = 8;

// POI `p<n>` has vector n; POI `absent` has none.
std::unique_ptr<const Snapshot> MakeSnapshot(const testing::TempDir& dir,
                                             uint64_t count) {
  auto builder = SnapshotBuilder::Open(dir.path() / "work",
                                       testing::InfoOf("fp", kDim), nullptr);
  REQUIRE(builder.ok());
  std::vector<uint64_t> numbers;
  for (uint64_t n = 0; n < count; ++n) {
    numbers.push_back(n);
    REQUIRE((*builder)
                ->AddPoiDescription("p" + std::to_string(n), IdOf(n), "text")
                .ok());
  }
  REQUIRE((*builder)->AddPoiDescription("absent", IdOf(9999), "x").ok());
  REQUIRE(testing::AddTexts(**builder, numbers, kDim).ok());
  REQUIRE((*builder)->Publish(dir.path() / "snapshot", {}).ok());
  auto snapshot = Snapshot::Open(dir.path() / "snapshot");
  REQUIRE(snapshot.ok());
  return *std::move(snapshot);
}

double Cosine(const std::vector<float>& a, const std::vector<float>& b) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    ab += double{a[i]} * b[i];
    aa += double{a[i]} * a[i];
    bb += double{b[i]} * b[i];
  }
  return ab / std::sqrt(aa * bb);
}

TEST_CASE("PoiIndex ranks every POI by cosine", "[embedding]") {
  const testing::TempDir dir;
  const auto snapshot = MakeSnapshot(dir, 60);
  const auto index = PoiIndex::Load(*snapshot);
  REQUIRE(index.ok());
  CHECK(index->size() == 60);

  auto query = VectorOf(17, kDim);
  for (float& value : query) value *= 3;  // Length does not matter.
  const auto all = index->Search(query, 1000);
  REQUIRE(all.size() == 60);
  CHECK(all[0].poi_id == "p17");
  CHECK(all[0].score == Approx(1));
  CHECK(all[0].description == "text");
  for (size_t i = 0; i < all.size(); ++i) {
    const auto n = std::stoull(all[i].poi_id.substr(1));
    CHECK(all[i].score ==
          Approx(Cosine(query, VectorOf(n, kDim))).margin(1e-5));
    if (i > 0) CHECK(all[i - 1].score >= all[i].score);
  }
  const auto few = index->Search(query, 3);
  REQUIRE(few.size() == 3);
  for (int i = 0; i < 3; ++i) CHECK(few[i].poi_id == all[i].poi_id);
}

TEST_CASE("PoiIndex of no POI, and of a query without a direction",
          "[embedding]") {
  const testing::TempDir dir;
  const auto index = PoiIndex::Load(*MakeSnapshot(dir, 0));
  REQUIRE(index.ok());
  CHECK(index->Search(VectorOf(1, kDim), 5).empty());

  const testing::TempDir other;
  const auto some = PoiIndex::Load(*MakeSnapshot(other, 2));
  const auto hits = some->Search(std::vector<float>(kDim), 5);
  REQUIRE(hits.size() == 2);
  CHECK(hits[0].score == 0);
  CHECK(hits[0].poi_id == "p0");
}

}  // namespace
}  // namespace larr
