// SPDX-License-Identifier: Apache-2.0
#include "tools/experiment/recall.h"

#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <vector>

#include "examples/city/embedded.h"
#include "tests/testing/snapshot_fixture.h"
#include "tests/testing/temp_dir.h"
#include "tools/experiment/places.h"
#include "tools/experiment/poi_map.h"

namespace larr::experiment {
namespace {

constexpr int kDim = 12;

// Knows regions by their number: a vector's one place.
class RegionEncoder : public TextEncoder {
 public:
  explicit RegionEncoder(const city::World& world) : world_(world) {}
  const std::string& fingerprint() const override { return fingerprint_; }
  int dim() const override { return kDim; }
  absl::StatusOr<Encoded> Encode(std::span<const std::string> texts) override {
    Encoded encoded;
    for (const std::string& text : texts) {
      for (size_t i = 0; i < world_.cities.size(); ++i) {
        const bool named = text.find(" in " + world_.cities[i].region + "<") !=
                           std::string::npos;
        encoded.vectors.push_back(named ? 1 : 0);
      }
    }
    return encoded;
  }

 private:
  const city::World& world_;
  const std::string fingerprint_ = "fp";
};

// 20 POIs for each city, whose vectors say where they are; half of them have
// the city's cuisine.
std::unique_ptr<const Snapshot> MakeSnapshot(const std::filesystem::path& dir,
                                             const city::World& world,
                                             const std::string& fingerprint) {
  auto builder = SnapshotBuilder::Open(
      dir / "work", larr::testing::InfoOf(fingerprint, kDim), nullptr);
  REQUIRE(builder.ok());
  uint64_t n = 0;
  for (size_t c = 0; c < world.cities.size(); ++c) {
    const city::City& city = world.cities[c];
    for (int i = 0; i < 20; ++i, ++n) {
      const std::string id = "p" + std::to_string(n);
      const std::string text = larr::testing::IdOf(n);
      storage::v1::EntityRow row;
      (*row.mutable_columns())["district"].set_string_value(
          city.districts[0].name);
      (*row.mutable_columns())["category"].set_string_value(
          i % 2 ? world.cuisines[city.cuisine] : "Drinks and desserts");
      REQUIRE((*builder)->AddEntity(config::v1::POI, id, row).ok());
      REQUIRE((*builder)->AddPoiDescription(id, text, "text").ok());
      std::vector<float> vector(kDim);
      vector[c] = 1;
      const std::string_view view = text;
      REQUIRE((*builder)->AddVectors({&view, 1}, vector, 1).ok());
    }
  }
  REQUIRE((*builder)->Publish(dir / "snapshot", {}).ok());
  auto snapshot = Snapshot::Open(dir / "snapshot");
  REQUIRE(snapshot.ok());
  return *std::move(snapshot);
}

TEST_CASE("Recall by region is measured against chance", "[experiment]") {
  const larr::testing::TempDir dir;
  const auto world = city::ParseWorld(city::kDishesCsv, city::kCitiesCsv);
  REQUIRE(world.ok());
  REQUIRE(world->cities.size() == kDim);
  RegionEncoder encoder(*world);
  const auto snapshot = MakeSnapshot(dir.path(), *world, "fp");
  const auto pois = PoiIndex::Load(*snapshot);
  REQUIRE(pois.ok());
  const auto search = SearchBy(encoder, *snapshot, *pois);
  REQUIRE(search.ok());
  const auto recall =
      MeasureRecall(*ReadPlaces(*snapshot, *world), *world, *search);
  INFO(recall.status().ToString());
  REQUIRE(recall.ok());
  CHECK((*recall)["top"] == 10);
  CHECK((*recall)["precision"].get<double>() == Approx(1));
  CHECK((*recall)["precision_chance"].get<double>() == Approx(1.0 / 12));
  CHECK((*recall)["cuisine_share_in_city"].get<double>() == Approx(0.5));
  CHECK((*recall)["cuisine_share_chance"].get<double>() < 0.15);
  REQUIRE((*recall)["regions"].size() == 12);
  const auto& last = (*recall)["regions"][11];
  CHECK(last["region"] == world->cities[11].region);
  CHECK(last["city"] == world->cities[11].name);
  CHECK(last["precision"] == 1);
}

TEST_CASE("A map of POIs has what their vectors differ by", "[experiment]") {
  const larr::testing::TempDir dir;
  auto world = city::ParseWorld(city::kDishesCsv, city::kCitiesCsv);
  REQUIRE(world.ok());
  const auto snapshot = MakeSnapshot(dir.path(), *world, "fp");
  const auto map =
      MapPois(*PoiIndex::Load(*snapshot), *ReadPlaces(*snapshot, *world), 120);
  CHECK(map["cities"].size() == kDim);
  // Twelve places equally far apart: eleven directions, equally long.
  CHECK(map["explained"].get<double>() == Approx(2.0 / 11).epsilon(0.01));
  REQUIRE(map["points"].size() == 120);
  std::map<int, std::pair<double, double>> place_of;
  for (const auto& point : map["points"]) {
    const std::pair<double, double> at{point[0], point[1]};
    const auto known = place_of.emplace(point[2].get<int>(), at).first->second;
    CHECK(known.first == Approx(at.first).margin(1e-6));
    CHECK(known.second == Approx(at.second).margin(1e-6));
    CHECK(point[3].get<size_t>() < map["categories"].size());
  }
}

TEST_CASE("A snapshot of another embedder is refused", "[experiment]") {
  const larr::testing::TempDir dir;
  const auto world = city::ParseWorld(city::kDishesCsv, city::kCitiesCsv);
  RegionEncoder encoder(*world);
  const auto snapshot = MakeSnapshot(dir.path(), *world, "other");
  const auto pois = PoiIndex::Load(*snapshot);
  REQUIRE(pois.ok());
  CHECK(
      absl::IsFailedPrecondition(SearchBy(encoder, *snapshot, *pois).status()));
}

}  // namespace
}  // namespace larr::experiment
