// SPDX-License-Identifier: Apache-2.0
#include "tools/demo/logged_request.h"

#include <catch2/catch.hpp>

#include "common/config/text_proto.h"

namespace larr::demo {
namespace {

TEST_CASE("Impressions of a request share its context", "[demo]") {
  const auto spec = ParseTextProto<config::v1::DatasetSpec>(R"pb(
    keywords { name: "w" side: CONTEXT template: "{weather}" }
    tabular_features {
      name: "far"
      side: CROSS
      dense { column: "impressions.distance" }
    })pb");
  REQUIRE(spec.ok());
  const SpecSchemas schemas(*spec);
  REQUIRE(schemas.impressions.names() ==
          std::vector<std::string>{"distance", "weather"});
  scoring::v1::ScoreRequest request;
  Impression row;
  row.user_id = "u1";
  for (const auto& [poi, distance] :
       {std::pair("p1", 0.5), std::pair("p2", 3.0)}) {
    row.poi_id = poi;
    row.values = Row{distance, std::string("rain")};
    AddImpression(schemas, row, request);
  }
  CHECK(request.user_id() == "u1");
  CHECK(request.context_size() == 1);
  CHECK(request.context().at("weather").string_value() == "rain");
  REQUIRE(request.candidates_size() == 2);
  CHECK(request.candidates(0).poi_id() == "p1");
  CHECK(request.candidates(1).poi_id() == "p2");
  for (const auto& candidate : request.candidates()) {
    CHECK(candidate.values_size() == 1);
  }
  CHECK(FromProto(request.candidates(1).values().at("distance")) == Value(3.0));
}

}  // namespace
}  // namespace larr::demo
