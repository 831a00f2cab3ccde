// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/request_encoder.h"

#include <catch2/catch.hpp>

#include "tests/services/scoring/sample_request.h"
#include "tests/services/scoring/scoring_world.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using testing::ScoringWorld;

// Made once a process.
std::filesystem::path SharedSnapshot() {
  static const testing::TempDir dir;
  static const auto folder = ScoringWorld().MakeSnapshot(dir.path(), "s");
  return folder;
}

struct Fixture {
  Fixture() {
    auto opened = Snapshot::Open(SharedSnapshot());
    REQUIRE(opened.ok());
    snapshot = *std::move(opened);
  }
  RequestEncoder Encoder(const testing::ModelOptions& options = {}) const {
    auto encoder =
        RequestEncoder::Create(world.Description(options), *snapshot);
    REQUIRE(encoder.ok());
    return *std::move(encoder);
  }
  // Both parts of a request; `pois` by candidate.
  struct Encoded {
    EncodedPois pois;
    EncodedRequest request;
  };
  Encoded Encode(const scoring::v1::ScoreRequest& request,
                 const testing::ModelOptions& options = {}) const {
    const RequestEncoder encoder = Encoder(options);
    std::vector<std::string_view> ids;
    for (const auto& candidate : request.candidates()) {
      ids.push_back(candidate.poi_id());
    }
    auto pois = encoder.EncodePois(ids);
    REQUIRE(pois.ok());
    std::vector<const EncodedPoi*> of_candidate;
    for (const EncodedPoi& poi : pois->pois) of_candidate.push_back(&poi);
    auto encoded = encoder.Encode(request, of_candidate);
    REQUIRE(encoded.ok());
    return {*std::move(pois), *std::move(encoded)};
  }
  ScoringWorld world;
  std::unique_ptr<const Snapshot> snapshot;
};

std::vector<float> At(const float* vector) { return {vector, vector + 8}; }

TEST_CASE("Sides are encoded as in training", "[scoring]") {
  const Fixture fixture;
  const auto encoded = fixture.Encode(testing::SampleRequest(3));
  const RequestColumns& input = encoded.request.columns;
  const PoiColumns& pois = encoded.pois.columns;
  CHECK(input.candidates == 3);
  CHECK(input.user_ids == std::vector<int64_t>{1});     // u1
  CHECK(input.context_ids == std::vector<int64_t>{3});  // 12 <= 13 < 18
  CHECK(pois.ids == std::vector<int64_t>{1, 2, 0});
  CHECK(pois.dense == std::vector<float>{-1.25f, -1.125f, 0});
  CHECK(input.cross_dense == std::vector<float>{-2, -1.5f, -1});
  REQUIRE(input.cross_ids.size() == 6);
  CHECK(input.cross_ids[0] != 0);
  CHECK(input.cross_ids[4] == 0);  // the POI's area is unknown
}

TEST_CASE("Vectors are those of the texts of training", "[scoring]") {
  const Fixture fixture;
  const auto encoded = fixture.Encode(testing::SampleRequest(3));
  const RequestColumns& input = encoded.request.columns;
  const PoiColumns& pois = encoded.pois.columns;
  REQUIRE(input.user_vectors.size() == 1);
  CHECK(At(input.user_vectors[0]) ==
        ScoringWorld::VectorOfText("<user_home>lives in Rome</user_home>", 8));
  REQUIRE(input.context_vectors.size() == 1);
  CHECK(At(input.context_vectors[0]) ==
        ScoringWorld::VectorOfText("<weather>mild, dry</weather>", 8));
  REQUIRE(pois.vectors.size() == 6);
  CHECK(At(pois.vectors[2]) ==
        ScoringWorld::VectorOfText("<POI_name>name 1</POI_name>", 8));
  CHECK(At(pois.vectors[3]) ==
        ScoringWorld::VectorOfText("<POI_menu>menu 1</POI_menu>", 8));
  CHECK(pois.vectors[4] == nullptr);
}

TEST_CASE("What is missing is counted by side", "[scoring]") {
  const Fixture fixture;
  scoring::v1::ScoreRequest request;
  request.add_candidates()->set_poi_id("p7");  // its name is not stored
  request.add_candidates()->set_poi_id("p3");  // has no menu: nothing missing
  request.add_candidates()->set_poi_id("nowhere");
  request.add_candidates()->set_poi_id("p7");

  SECTION("an empty request but for its candidates") {
    const MissingInputs missing = fixture.Encode(request).request.missing;
    CHECK(missing.users == 1);
    CHECK(missing.pois == 1);
    // No weather was given; p7 is there twice.
    CHECK(missing.texts ==
          std::map<std::string, int>{{"weather", 1}, {"POI_name", 2}});
  }
  SECTION("a value outside of the domain") {
    request.set_user_id("u2");  // has no home: nothing missing
    (*request.mutable_context())["rain"].set_string_value("frogs");
    const MissingInputs missing = fixture.Encode(request).request.missing;
    CHECK(missing.users == 0);
    CHECK(missing.texts.at("weather") == 1);
    CHECK_FALSE(missing.texts.contains("user_home"));
  }
  SECTION("everything is there") {
    const MissingInputs missing =
        fixture.Encode(testing::SampleRequest(1)).request.missing;
    CHECK(missing.users == 0);
    CHECK(missing.texts.empty());
  }
}

TEST_CASE("A candidate's value goes before the context's", "[scoring]") {
  const Fixture fixture;
  scoring::v1::ScoreRequest request;
  (*request.mutable_context())["distance"].set_int_value(4);
  request.add_candidates()->set_poi_id("p1");
  auto& second = *request.add_candidates();
  second.set_poi_id("p1");
  (*second.mutable_values())["distance"].set_double_value(3);
  request.add_candidates()->set_poi_id("p1");
  CHECK(fixture.Encode(request).request.columns.cross_dense ==
        std::vector<float>{2, 1, 2});
}

TEST_CASE("A model without texts reads no vectors", "[scoring]") {
  const Fixture fixture;
  const auto encoded =
      fixture.Encode(testing::SampleRequest(2), {.texts = false});
  CHECK(encoded.request.columns.user_vectors.empty());
  CHECK(encoded.pois.columns.vectors.empty());
  CHECK(encoded.request.missing.texts.empty());
}

}  // namespace
}  // namespace larr
