// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/request_checker.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <limits>

#include "common/rpc/grpc_status.h"
#include "google/rpc/error_details.pb.h"
#include "tests/services/scoring/sample_request.h"
#include "tests/services/scoring/scoring_world.h"

namespace larr {
namespace {

using scoring::v1::ScoreRequest;

RequestChecker MakeChecker(const testing::ScoringWorld& world,
                           bool has_order_task = true) {
  auto description = world.Description({});
  description.set_has_order_task(has_order_task);
  const auto encoder =
      TabularEncoder::Create(world.spec(), description.features());
  REQUIRE(encoder.ok());
  return RequestChecker(description, *encoder);
}

// What an error's details say, as its message has it.
std::string Violation(const absl::Status& status) {
  const auto bad = DetailOf<google::rpc::BadRequest>(status);
  REQUIRE(bad.has_value());
  REQUIRE(bad->field_violations_size() == 1);
  return bad->field_violations(0).field() + ": " +
         bad->field_violations(0).description();
}

TEST_CASE("Bad requests are refused by the path of the field", "[scoring]") {
  struct Case {
    const char* name;
    std::function<void(ScoreRequest&)> spoil;
    const char* message;
  };
  const std::vector<Case> cases = {
      {"no candidates", [](auto& r) { r.clear_candidates(); },
       "candidates: is empty"},
      {"too many",
       [](auto& r) {
         for (int i = 0; i < 10; ++i) r.add_candidates()->set_poi_id("p1");
       },
       "candidates: 13 are more than the 10"},
      {"empty POI", [](auto& r) { r.mutable_candidates(1)->clear_poi_id(); },
       "candidates[1].poi_id: is empty"},
      {"unknown context",
       [](auto& r) { (*r.mutable_context())["wind"].set_int_value(1); },
       "context[\"wind\"]: the model reads no such column; it reads here: "},
      {"entity column in the context",
       [](auto& r) { (*r.mutable_context())["home"].set_string_value("x"); },
       "context[\"home\"]"},
      {"unknown value",
       [](auto& r) {
         (*r.mutable_candidates(2)->mutable_values())["x"].set_int_value(1);
       },
       "candidates[2].values[\"x\"]: the model reads no such column; it reads "
       "here: distance, event"},
      {"context column in a candidate",
       [](auto& r) {
         (*r.mutable_candidates(0)->mutable_values())["hour"].set_int_value(1);
       },
       "candidates[0].values[\"hour\"]: the column belongs to the whole "
       "request"},
      {"string for a bucketised feature",
       [](auto& r) { (*r.mutable_context())["hour"].set_string_value("12"); },
       "context[\"hour\"]: is a string"},
      {"string for a domain of numbers",
       [](auto& r) {
         (*r.mutable_context())["temperature"].set_string_value("hot");
       },
       "context[\"temperature\"]: is a string"},
      {"string for a dense feature",
       [](auto& r) {
         (*r.mutable_candidates(1)->mutable_values())["distance"]
             .set_string_value("near");
       },
       "candidates[1].values[\"distance\"]: is a string"},
      {"NaN",
       [](auto& r) {
         (*r.mutable_candidates(0)->mutable_values())["distance"]
             .set_double_value(std::nan(""));
       },
       "candidates[0].values[\"distance\"]: nan is not a finite number"},
      {"infinity",
       [](auto& r) {
         (*r.mutable_context())["temperature"].set_double_value(
             -std::numeric_limits<double>::infinity());
       },
       "context[\"temperature\"]: -inf is not a finite number"},
      {"a number that no float can be",
       [](auto& r) {
         (*r.mutable_candidates(2)->mutable_values())["distance"]
             .set_double_value(-1e300);
       },
       "candidates[2].values[\"distance\"]: -1e+300 is too large"},
      {"negative top_k", [](auto& r) { r.set_top_k(-1); },
       "top_k: -1 is negative"},
      {"no output", [](auto& r) { r.add_outputs(scoring::v1::Output()); },
       "outputs[0]: 0 is neither"},
      {"an output of another version",
       [](auto& r) {
         r.add_outputs(scoring::v1::CTR);
         r.add_outputs(static_cast<scoring::v1::Output>(7));
       },
       "outputs[1]: 7 is neither"},
      {"an order of another version",
       [](auto& r) { r.set_order_by(static_cast<scoring::v1::Output>(7)); },
       "order_by: 7 is neither"},
      {"a candidate that is not there",
       [](auto& r) { r.set_explain_candidate(3); },
       "explain_candidate: 3 is not the index of one of the 3"},
      {"a candidate before the first",
       [](auto& r) { r.set_explain_candidate(-1); }, "explain_candidate: -1"},
      {"unknown text", [](auto& r) { (*r.mutable_texts())["mood"] = "calm"; },
       "texts[\"mood\"]: the model reads no such scene feature; it reads here: "
       "user_home, weather"},
      {"a POI's text for the user",
       [](auto& r) { (*r.mutable_texts())["POI_name"] = "x"; },
       "texts[\"POI_name\"]"},
      {"the user's text for a POI",
       [](auto& r) {
         (*r.mutable_candidates(1)->mutable_texts())["user_home"] = "x";
       },
       "candidates[1].texts[\"user_home\"]: the model reads no such scene "
       "feature; it reads here: POI_menu, POI_name"},
      {"empty text",
       [](auto& r) {
         (*r.mutable_candidates(1)->mutable_texts())["POI_name"] = "";
       },
       "candidates[1].texts[\"POI_name\"]: is empty"},
  };
  const testing::ScoringWorld world;
  const RequestChecker checker = MakeChecker(world);
  for (const Case& c : cases) {
    CAPTURE(c.name);
    ScoreRequest request = testing::SampleRequest(3);
    REQUIRE(checker.Check(request, 10).ok());
    c.spoil(request);
    const absl::Status status = checker.Check(request, 10);
    CHECK(absl::IsInvalidArgument(status));
    CHECK_THAT(std::string(status.message()), Catch::StartsWith(c.message));
    CHECK(Violation(status) == status.message());
  }
}

TEST_CASE("A model without an order task gives no CTCVR", "[scoring]") {
  const testing::ScoringWorld world;
  const RequestChecker checker = MakeChecker(world, /*has_order_task=*/false);
  ScoreRequest request = testing::SampleRequest(1);
  request.set_order_by(scoring::v1::CTR);
  request.add_outputs(scoring::v1::CTR);
  CHECK(checker.Check(request, 1).ok());
  request.add_outputs(scoring::v1::CTCVR);
  CHECK_THAT(Violation(checker.Check(request, 1)),
             Catch::StartsWith("outputs[1]: the model has no order task"));
  request.clear_outputs();
  request.set_order_by(scoring::v1::CTCVR);
  CHECK_THAT(Violation(checker.Check(request, 1)),
             Catch::StartsWith("order_by: the model has no order task"));
}

TEST_CASE("A name that is too long for an answer is cut", "[scoring]") {
  const testing::ScoringWorld world;
  const RequestChecker checker = MakeChecker(world);
  ScoreRequest request = testing::SampleRequest(1);
  (*request.mutable_context())[std::string(100'000, 'x')].set_int_value(1);
  const absl::Status status = checker.Check(request, 1);
  CHECK(status.message().size() < 2000);
  CHECK_THAT(Violation(status), Catch::StartsWith("context[\"xxxx"));
}

TEST_CASE("What is merely missing fits", "[scoring]") {
  const testing::ScoringWorld world;
  const RequestChecker checker = MakeChecker(world);
  ScoreRequest request;
  request.add_candidates()->set_poi_id("nowhere");
  CHECK(checker.Check(request, 1).ok());
  (*request.mutable_context())["hour"];  // null
  (*request.mutable_context())["rain"].set_string_value("frogs");
  (*request.mutable_context())["distance"].set_int_value(3);  // for all alike
  (*request.mutable_context())["temperature"].set_double_value(
      1e300);  // a label
  (*request.mutable_texts())["user_home"] = "a place without a vector";
  (*request.mutable_candidates(0)->mutable_texts())["POI_name"] = "new";
  request.set_top_k(100);
  request.set_explain_candidate(0);
  CHECK(checker.Check(request, 1).ok());
}

}  // namespace
}  // namespace larr
