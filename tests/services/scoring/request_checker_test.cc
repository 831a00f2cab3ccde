// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/request_checker.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <limits>

#include "tests/services/scoring/sample_request.h"
#include "tests/services/scoring/scoring_world.h"

namespace larr {
namespace {

using scoring::v1::ScoreRequest;

RequestChecker MakeChecker(const testing::ScoringWorld& world) {
  const auto encoder =
      TabularEncoder::Create(world.spec(), world.Description({}).features());
  REQUIRE(encoder.ok());
  return RequestChecker(world.spec(), *encoder);
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
    CHECK_THAT(std::string(status.message()), Catch::Contains(c.message));
  }
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
  CHECK(checker.Check(request, 1).ok());
}

}  // namespace
}  // namespace larr
