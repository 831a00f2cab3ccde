// SPDX-License-Identifier: Apache-2.0
//
// What is served equals what an offline evaluation computes from the raw rows
// by the model's plain forward pass.
#include "services/scoring/request_scorer.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>

#include "services/scoring/bundle.h"
#include "tests/services/scoring/offline_scorer.h"
#include "tests/services/scoring/sample_request.h"
#include "tests/services/scoring/scoring_artifacts.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using testing::Columns;
using testing::Impression;
using testing::ScoringWorld;

// A random impression of everything that can be: unknown users and POIs,
// values that are null, unknown or outside of their domain.
Impression Random(const Columns& context, const std::string& user,
                  std::mt19937& random) {
  Impression impression{user, "p" + std::to_string(random() % 9), context};
  if (random() % 4 != 0) {
    impression.columns["distance"] = 0.25 * static_cast<double>(random() % 20);
  }
  return impression;
}

Columns RandomContext(std::mt19937& random) {
  Columns context;
  const char* rain[] = {"dry", "wet", "frogs"};
  if (random() % 4 != 0) context["rain"] = rain[random() % 3];
  if (random() % 4 != 0) {
    context["temperature"] = static_cast<double>(random() % 40);
  }
  if (random() % 4 != 0) context["hour"] = static_cast<int64_t>(random() % 24);
  if (random() % 2 != 0) context["event"] = "derby";
  return context;
}

TEST_CASE("Served scores equal the offline evaluation's", "[scoring]") {
  const testing::TempDir dir;
  const ScoringWorld world;
  const bool texts = GENERATE(true, false);
  const auto model =
      testing::MakeModel(world, dir.path(), "model", {.texts = texts});
  const auto bundle = Bundle::Load(
      {model.string(), world.MakeSnapshot(dir.path(), "snapshot").string()});
  REQUIRE(bundle.ok());
  const testing::OfflineScorer offline(world, model);
  std::mt19937 random(7);
  float largest = 0, smallest = 1;
  for (int r = 0; r < 40; ++r) {
    const Columns context = RandomContext(random);
    const std::string user = "u" + std::to_string(1 + random() % 3);
    std::vector<Impression> impressions;
    scoring::v1::ScoreRequest request;
    request.set_user_id(user);
    for (const auto& [name, value] : context) {
      (*request.mutable_context())[name] = ToProto(value);
    }
    for (uint32_t i = random() % 12; i < 12; ++i) {
      impressions.push_back(Random(context, user, random));
      auto& candidate = *request.add_candidates();
      candidate.set_poi_id(impressions.back().poi);
      const auto distance = impressions.back().columns.find("distance");
      if (distance == impressions.back().columns.end()) continue;
      (*candidate.mutable_values())["distance"] = ToProto(distance->second);
    }
    REQUIRE((*bundle)->checker().Check(request, 100).ok());
    scoring::v1::ScoreResponse response;
    REQUIRE(ScoreRequest(**bundle, request, response).ok());
    REQUIRE(response.scores_size() == static_cast<int>(impressions.size()));
    for (size_t i = 0; i < impressions.size(); ++i) {
      const auto [ctr, ctcvr] = offline.Score(impressions[i]);
      const auto& score = response.scores(static_cast<int>(i));
      CHECK(std::abs(score.ctr() - ctr) < 1e-5);
      CHECK(std::abs(score.ctcvr() - ctcvr) < 1e-5);
      largest = std::max(largest, ctr);
      smallest = std::min(smallest, ctr);
    }
  }
  CHECK(largest - smallest > 1e-3);  // the scores do differ
}

TEST_CASE("The best candidates come first", "[scoring]") {
  const testing::Artifacts& shared = testing::SharedArtifacts();
  const auto bundle = Bundle::Load({shared.model, shared.snapshot});
  REQUIRE(bundle.ok());
  scoring::v1::ScoreRequest request = testing::SampleRequest(20);
  const auto score = [&] {
    REQUIRE((*bundle)->checker().Check(request, 100).ok());
    scoring::v1::ScoreResponse response;
    REQUIRE(ScoreRequest(**bundle, request, response).ok());
    return response;
  };
  const scoring::v1::ScoreResponse all = score();
  for (int i = 0; i < 20; ++i) CHECK(all.scores(i).candidate() == i);

  const auto order = GENERATE(scoring::v1::OUTPUT_UNSPECIFIED, scoring::v1::CTR,
                              scoring::v1::CTCVR);
  const int top_k = GENERATE(1, 5, 20, 1000);
  CAPTURE(order, top_k);
  request.set_order_by(order);
  request.set_top_k(top_k);
  const auto value = [&](const scoring::v1::CandidateScore& candidate) {
    return order == scoring::v1::CTR ? candidate.ctr() : candidate.ctcvr();
  };
  std::vector<scoring::v1::CandidateScore> expected(all.scores().begin(),
                                                    all.scores().end());
  std::stable_sort(
      expected.begin(), expected.end(),
      [&](const auto& a, const auto& b) { return value(a) > value(b); });
  const scoring::v1::ScoreResponse best = score();
  REQUIRE(best.scores_size() == std::min(top_k, 20));
  for (int i = 0; i < best.scores_size(); ++i) {
    CHECK(best.scores(i).candidate() == expected[i].candidate());
    CHECK(best.scores(i).ctr() == Approx(expected[i].ctr()).margin(1e-6));
  }
  CHECK(best.missing().pois() == all.missing().pois());
}

TEST_CASE("Equal candidates stand in the request's order", "[scoring]") {
  const testing::Artifacts& shared = testing::SharedArtifacts();
  const auto bundle = Bundle::Load({shared.model, shared.snapshot});
  REQUIRE(bundle.ok());
  scoring::v1::ScoreRequest request;
  for (int i = 0; i < 9; ++i) request.add_candidates()->set_poi_id("p1");
  request.set_top_k(4);
  scoring::v1::ScoreResponse response;
  REQUIRE(ScoreRequest(**bundle, request, response).ok());
  REQUIRE(response.scores_size() == 4);
  for (int i = 0; i < 4; ++i) CHECK(response.scores(i).candidate() == i);
}

TEST_CASE("Only the outputs that were asked for are filled", "[scoring]") {
  const testing::Artifacts& shared = testing::SharedArtifacts();
  const auto bundle = Bundle::Load({shared.model, shared.snapshot});
  REQUIRE(bundle.ok());
  scoring::v1::ScoreRequest request = testing::SampleRequest(2);
  request.set_top_k(2);  // by CTCVR, which is not among the outputs
  request.add_outputs(scoring::v1::CTR);
  scoring::v1::ScoreResponse response;
  REQUIRE(ScoreRequest(**bundle, request, response).ok());
  REQUIRE(response.scores_size() == 2);
  CHECK(response.scores(0).ctr() > 0);
  CHECK(response.scores(0).ctcvr() == 0);
  CHECK_FALSE(response.has_explanation());
}

TEST_CASE("A candidate's own texts count for it alone", "[scoring]") {
  const testing::TempDir dir;
  const ScoringWorld world;
  const auto model = testing::MakeModel(world, dir.path(), "model");
  const auto bundle = Bundle::Load(
      {model.string(), world.MakeSnapshot(dir.path(), "snapshot").string()});
  REQUIRE(bundle.ok());
  const auto kept = (*bundle)->pois().cache().size();
  scoring::v1::ScoreRequest request;
  for (int i = 0; i < 3; ++i) request.add_candidates()->set_poi_id("p1");
  auto& texts = *request.mutable_candidates(1)->mutable_texts();
  texts["POI_name"] = "name 2";
  texts["POI_menu"] = "menu 3";
  scoring::v1::ScoreResponse response;
  const auto counts = ScoreRequest(**bundle, request, response);
  REQUIRE(counts.ok());
  CHECK(counts->pois == 2);
  CHECK(counts->prepared_pois == 1);
  ScoringWorld changed;
  changed.pois["p1"]["name"] = "name 2";
  changed.pois["p1"]["menu"] = "menu 3";
  const testing::OfflineScorer stored(world, model), own(changed, model);
  const Impression impression{"", "p1", {}};
  CHECK(std::abs(response.scores(0).ctr() - stored.Score(impression).first) <
        1e-5);
  CHECK(std::abs(response.scores(1).ctr() - own.Score(impression).first) <
        1e-5);
  CHECK(response.scores(2).ctr() == response.scores(0).ctr());
  CHECK(std::abs(response.scores(1).ctr() - response.scores(0).ctr()) > 1e-4);
  CHECK((*bundle)->pois().cache().size() == kept);
}

TEST_CASE("A response says what it was made from", "[scoring]") {
  const testing::TempDir dir;
  const ScoringWorld world;
  const auto bundle =
      Bundle::Load({testing::MakeModel(world, dir.path(), "model").string(),
                    world.MakeSnapshot(dir.path(), "snapshot").string(),
                    "models/small/versions/1"});
  REQUIRE(bundle.ok());
  scoring::v1::ScoreResponse response;
  REQUIRE(ScoreRequest(**bundle, testing::SampleRequest(3), response).ok());
  CHECK(response.model_version() == "models/small/versions/1");
  CHECK(response.snapshot() == (*bundle)->state().snapshot());
  CHECK(response.missing().pois() == 1);
  CHECK(response.missing().users() == 0);
}

}  // namespace
}  // namespace larr
