// SPDX-License-Identifier: Apache-2.0
#include "tools/larrctl/score_request.h"

#include <catch2/catch.hpp>

namespace larr::ctl {
namespace {

TEST_CASE("Plain JSON values keep their types", "[larrctl]") {
  const auto request = ParseScoreRequest(R"({
    "user_id": "u1",
    "context": {"hour": 12, "weather": "rain", "rain_mm": 0.5, "event": null,
                "code": {"string_value": "12"}},
    "candidates": [{"poi_id": "p1", "values": {"distance": 1.5}},
                   {"poiId": "p2"}]})");
  REQUIRE(request.ok());
  CHECK(request->user_id() == "u1");
  const auto& context = request->context();
  CHECK(context.at("hour").int_value() == 12);
  CHECK(context.at("weather").string_value() == "rain");
  CHECK(context.at("rain_mm").double_value() == 0.5);
  CHECK(context.at("event").kind_case() == storage::v1::Value::KIND_NOT_SET);
  CHECK(context.at("code").string_value() == "12");
  REQUIRE(request->candidates_size() == 2);
  CHECK(request->candidates(0).values().at("distance").double_value() == 1.5);
  CHECK(request->candidates(1).poi_id() == "p2");
}

TEST_CASE("JSON that is no request is refused", "[larrctl]") {
  for (const char* json :
       {"", "[]", "{", R"({"user": "u1"})", R"({"candidates": 3})",
        R"({"context": {"a": [1]}})", R"({"context": "x"})"}) {
    CAPTURE(json);
    CHECK(absl::IsInvalidArgument(ParseScoreRequest(json).status()));
  }
}

TEST_CASE("Values of flags take the type that they look like", "[larrctl]") {
  CHECK(ParseValue("-12").int_value() == -12);
  CHECK(ParseValue("1.5").double_value() == 1.5);
  CHECK(ParseValue("rain").string_value() == "rain");
  CHECK(ParseValue("\"12\"").string_value() == "12");
  CHECK(ParseValue("").string_value().empty());
}

TEST_CASE("A candidate is a POI and its columns", "[larrctl]") {
  const auto candidate = ParseCandidate("p1,distance=1.5,position=0");
  REQUIRE(candidate.ok());
  CHECK(candidate->poi_id() == "p1");
  CHECK(candidate->values().at("position").int_value() == 0);
  CHECK(ParseCandidate("p1")->values().empty());
  CHECK(absl::IsInvalidArgument(ParseCandidate("p1,distance").status()));
}

}  // namespace
}  // namespace larr::ctl
