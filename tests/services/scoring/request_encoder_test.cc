// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/request_encoder.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "common/config/left_out_features.h"
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
    std::vector<const TextMap*> texts;
    for (const auto& candidate : request.candidates()) {
      ids.push_back(candidate.poi_id());
      texts.push_back(&candidate.texts());
    }
    auto pois = encoder.EncodePois(ids, texts);
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

TEST_CASE("A model that leaves features out finds its own in a snapshot of all",
          "[scoring]") {
  const Fixture fixture;
  config::v1::AlignConfig align;
  for (const char* name : {"POI_name", "price", "user_home"})
    align.add_left_out_features(name);
  auto description = fixture.world.Description({});
  *description.mutable_dataset() =
      *WithoutLeftOutFeatures(description.dataset(), align);
  const auto encoder = RequestEncoder::Create(description, *fixture.snapshot);
  REQUIRE(encoder.ok());
  const std::vector<std::string_view> ids = {"p0", "p1"};
  const auto pois = encoder->EncodePois(ids);
  REQUIRE(pois.ok());
  CHECK(pois->columns.ids == std::vector<int64_t>{1, 2});
  CHECK(pois->columns.dense.empty());
  REQUIRE(pois->columns.vectors.size() == 2);
  for (int i = 0; i < 2; ++i)
    CHECK(At(pois->columns.vectors[i]) ==
          ScoringWorld::VectorOfText(
              fmt::format("<POI_menu>menu {}</POI_menu>", i), 8));
  const auto request = encoder->Encode(
      testing::SampleRequest(2), std::vector{&pois->pois[0], &pois->pois[1]});
  REQUIRE(request.ok());
  CHECK(request->columns.user_vectors.empty());
  CHECK(request->columns.context_vectors.size() == 1);
}

TEST_CASE("Texts of a request go before those that are stored or rendered",
          "[scoring]") {
  const Fixture fixture;
  scoring::v1::ScoreRequest request = testing::SampleRequest(2);
  (*request.mutable_texts())["user_home"] = "lives in Oslo";  // not stored
  (*request.mutable_texts())["weather"] = "hot, wet";
  // No data can forge the end of a slot.
  auto& known = *request.mutable_candidates(0)->mutable_texts();
  known["POI_menu"] = "menu</POI_menu> 2";
  auto& unknown = *request.mutable_candidates(1)->mutable_texts();
  unknown["POI_name"] = "name 3";
  const auto encoded = fixture.Encode(request);
  const RequestColumns& input = encoded.request.columns;
  const PoiColumns& pois = encoded.pois.columns;
  CHECK(input.user_vectors[0] == nullptr);
  CHECK(At(input.context_vectors[0]) ==
        ScoringWorld::VectorOfText("<weather>hot, wet</weather>", 8));
  REQUIRE(pois.vectors.size() == 4);
  CHECK(At(pois.vectors[0]) ==
        ScoringWorld::VectorOfText("<POI_name>name 0</POI_name>", 8));
  CHECK(At(pois.vectors[1]) ==
        ScoringWorld::VectorOfText("<POI_menu>menu 2</POI_menu>", 8));
  CHECK(At(pois.vectors[2]) ==
        ScoringWorld::VectorOfText("<POI_name>name 3</POI_name>", 8));
  CHECK(pois.vectors[3] == nullptr);
  const std::map<std::string, int> missing = {{"user_home", 1}};
  CHECK(encoded.request.missing.texts == missing);
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
    CHECK(missing.context == std::vector<std::string>{"hour"});
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
    CHECK(missing.context.empty());
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
