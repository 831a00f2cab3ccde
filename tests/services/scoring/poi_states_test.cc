// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/poi_states.h"

#include <catch2/catch.hpp>

#include "services/scoring/bundle.h"
#include "tests/services/scoring/scoring_artifacts.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using testing::ScoringWorld;

std::unique_ptr<Bundle> MakeBundle(const testing::TempDir& dir) {
  const ScoringWorld world;
  auto bundle =
      Bundle::Load({testing::MakeModel(world, dir.path(), "model").string(),
                    world.MakeSnapshot(dir.path(), "snapshot").string()});
  REQUIRE(bundle.ok());
  return *std::move(bundle);
}

TEST_CASE("A POI is prepared once and shared", "[scoring]") {
  const testing::TempDir dir;
  const auto bundle = MakeBundle(dir);
  const auto states =
      PoiStates::Create(bundle->scorer(), bundle->encoder(), 1 << 20).value();
  const std::vector<std::string_view> ids = {"p1", "p2"};
  const auto first = states->Get(ids).value();
  CHECK(first.prepared == 2);
  CHECK(first.pois[0]->state.size() == bundle->scorer().poi_state_bytes());
  CHECK(first.pois[0]->state != first.pois[1]->state);
  const auto second = states->Get(ids).value();
  CHECK(second.prepared == 0);
  CHECK(second.pois == first.pois);
}

TEST_CASE("Unknown POIs share one and take no place", "[scoring]") {
  const testing::TempDir dir;
  const auto bundle = MakeBundle(dir);
  const auto states =
      PoiStates::Create(bundle->scorer(), bundle->encoder(), 1 << 20).value();
  const std::vector<std::string_view> ids = {"nowhere", "nobody"};
  const auto found = states->Get(ids).value();
  CHECK_FALSE(found.pois[0]->encoded.known);
  CHECK(found.pois[0] == found.pois[1]);
  CHECK(states->cache().size() == 0);
}

TEST_CASE("A bundle is warmed with what another served", "[scoring]") {
  const testing::TempDir dir, other;
  const auto live = MakeBundle(dir);
  const auto next = MakeBundle(other);
  const std::vector<std::string_view> ids = {"p1", "p2"};
  REQUIRE(live->pois().Get(ids).ok());
  REQUIRE(next->WarmLike(*live).ok());
  CHECK(next->pois().Get(ids)->prepared == 0);
}

}  // namespace
}  // namespace larr
