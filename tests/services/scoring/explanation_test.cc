// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/explanation.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "services/scoring/bundle.h"
#include "services/scoring/request_scorer.h"
#include "tests/services/scoring/sample_request.h"
#include "tests/services/scoring/scoring_artifacts.h"

namespace larr {
namespace {

using scoring::v1::Explanation;

std::unique_ptr<Bundle> MakeBundle(const std::string& model) {
  auto bundle = Bundle::Load({model, testing::SharedArtifacts().snapshot});
  REQUIRE(bundle.ok());
  return *std::move(bundle);
}

scoring::v1::ScoreResponse Score(const Bundle& bundle,
                                 const scoring::v1::ScoreRequest& request) {
  REQUIRE(bundle.checker().Check(request, 100).ok());
  scoring::v1::ScoreResponse response;
  REQUIRE(ScoreRequest(bundle, request, response).ok());
  return response;
}

const Explanation::Contribution& Find(const Explanation& explanation,
                                      const std::string& feature) {
  for (const auto& contribution : explanation.contributions())
    if (contribution.feature() == feature) return contribution;
  FAIL(feature);
  return explanation.contributions(0);
}

TEST_CASE("A contribution is the score minus the score without the feature",
          "[scoring]") {
  const auto bundle = MakeBundle(testing::SharedArtifacts().model);
  scoring::v1::ScoreRequest request = testing::SampleRequest(4);
  request.set_explain_candidate(2);
  request.set_top_k(1);  // explained, whether it is among the best or not
  const Explanation explanation = Score(*bundle, request).explanation();
  CHECK(explanation.candidate() == 2);
  request.clear_explain_candidate();
  request.clear_top_k();
  const auto base = Score(*bundle, request).scores(2);
  const auto check = [&](const std::string& feature, bool is_text,
                         const scoring::v1::ScoreRequest& without) {
    CAPTURE(feature);
    const auto score = Score(*bundle, without).scores(2);
    const auto& contribution = Find(explanation, feature);
    CHECK(contribution.is_text() == is_text);
    CHECK(std::abs(contribution.ctr() - (base.ctr() - score.ctr())) < 1e-5);
    CHECK(std::abs(contribution.ctcvr() - (base.ctcvr() - score.ctcvr())) <
          1e-5);
    CHECK(contribution.ctr() != 0);
  };
  scoring::v1::ScoreRequest without = request;
  without.mutable_context()->erase("hour");
  check("hour", false, without);
  without = request;
  without.mutable_context()->erase("event");
  check("event_x_area", false, without);
  without = request;
  without.mutable_candidates(2)->mutable_values()->erase("distance");
  check("distance", false, without);
  for (const char* text : {"weather", "user_home"}) {
    without = request;
    (*without.mutable_texts())[text] = "nothing that is stored";
    check(text, true, without);
  }
  for (const char* text : {"POI_name", "POI_menu"}) {
    without = request;
    (*without.mutable_candidates(2)->mutable_texts())[text] =
        "nothing that is stored";
    check(text, true, without);
  }
}

TEST_CASE("Every feature is explained, and every text that was found",
          "[scoring]") {
  const auto bundle = MakeBundle(testing::SharedArtifacts().model);
  scoring::v1::ScoreRequest request = testing::SampleRequest(2);
  request.set_explain_candidate(0);
  (*request.mutable_candidates(0)->mutable_texts())["POI_menu"] = "unheard of";
  const Explanation explanation = Score(*bundle, request).explanation();
  std::vector<std::string> names, found;
  double attention = explanation.own_attention();
  for (const auto& text : explanation.texts()) {
    names.push_back(text.feature());
    if (text.found()) found.push_back(text.feature());
    attention += text.attention();
    CHECK(text.attention() > 0);
  }
  CHECK(attention == Approx(1).margin(1e-5));
  CHECK(names == std::vector<std::string>{"weather", "POI_name", "user_home",
                                          "POI_menu"});
  CHECK(found == std::vector<std::string>{"weather", "POI_name", "user_home"});
  names.clear();
  for (const auto& contribution : explanation.contributions())
    names.push_back(contribution.feature());
  CHECK(names == std::vector<std::string>{
                     "user_id", "hour", "poi_id", "home_x_area", "event_x_area",
                     "orders", "price", "distance", "weather", "POI_name",
                     "user_home", "POI_menu"});
  CHECK(Find(explanation, "POI_menu").ctr() == 0);  // its default stood in
}

TEST_CASE("A model without texts explains its tabular features", "[scoring]") {
  const testing::TempDir dir;
  const testing::ScoringWorld world;
  const auto bundle = MakeBundle(
      testing::MakeModel(world, dir.path(), "ple", {.texts = false}).string());
  scoring::v1::ScoreRequest request = testing::SampleRequest(1);
  request.set_explain_candidate(0);
  const Explanation explanation = Score(*bundle, request).explanation();
  CHECK(explanation.texts().empty());
  CHECK(explanation.own_attention() == 0);
  CHECK(explanation.contributions_size() == 8);
}

}  // namespace
}  // namespace larr
