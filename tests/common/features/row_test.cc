// SPDX-License-Identifier: Apache-2.0
#include "common/features/row.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "common/config/text_proto.h"

namespace larr {
namespace {

TEST_CASE("A value has one text in every type", "[features]") {
  CHECK(ToText(int64_t{7}) == "7");
  CHECK(ToText(7.0) == "7");
  CHECK(ToText(std::string("7")) == "7");
  CHECK(ToText(-0.0) == "0");
  CHECK(ToText(0.1) == "0.1");
  CHECK(ToText(1e300) == "1e+300");
  CHECK(ToText(int64_t{-9223372036854775807LL}) == "-9223372036854775807");
  CHECK(ToText(std::monostate()).empty());
  CHECK(ToText(std::nan("")).empty());
}

TEST_CASE("Only finite numbers are numbers", "[features]") {
  CHECK(ToNumber(int64_t{3}) == 3.0);
  CHECK(ToNumber(2.5) == 2.5);
  CHECK_FALSE(ToNumber(std::string("3")).has_value());
  CHECK_FALSE(ToNumber(std::monostate()).has_value());
  CHECK_FALSE(ToNumber(std::nan("")).has_value());
  CHECK_FALSE(ToNumber(std::numeric_limits<double>::infinity()).has_value());
}

TEST_CASE("Values survive the way through protos", "[features]") {
  for (const Value& value : {Value(int64_t{5}), Value(2.25), Value("x"),
                             Value(std::string()), Value(std::monostate())}) {
    CHECK(FromProto(ToProto(value)) == value);
  }
}

TEST_CASE("Schemas hold what the spec reads, tabular columns first",
          "[features]") {
  const auto spec = ParseTextProto<config::v1::DatasetSpec>(R"pb(
    keywords { name: "p" side: POI template: "{name}, {area} {{x}}" }
    keywords { name: "w" side: CONTEXT template: "{weather}" }
    tabular_features {
      name: "area"
      side: POI
      vocabulary { column: "area" }
    }
    tabular_features {
      name: "cross"
      side: CROSS
      hash { columns: "users.city" columns: "impressions.hour" buckets: 9 }
    }
    tabular_features {
      name: "hour"
      side: CONTEXT
      vocabulary { column: "hour" }
    }
    tabular_features {
      name: "far"
      side: CROSS
      dense { column: "impressions.distance" }
    })pb");
  REQUIRE(spec.ok());
  const SpecSchemas schemas(*spec);
  CHECK(schemas.pois.names() == std::vector<std::string>{"area", "name"});
  CHECK(schemas.pois_tabular == std::vector<bool>{true, false});
  CHECK(schemas.users.names() == std::vector<std::string>{"city"});
  CHECK(schemas.impressions.names() ==
        std::vector<std::string>{"hour", "distance", "weather"});
  CHECK(schemas.impressions_context == std::vector<bool>{true, false, true});
  CHECK(schemas.impressions.Find("nothing") == -1);

  ValueMap values;
  values["hour"].set_int_value(8);
  values["unknown"].set_int_value(1);
  Row row(schemas.impressions.size());
  FillRow(schemas.impressions, values, row);
  CHECK(row[0] == Value(int64_t{8}));
  CHECK(IsNull(row[1]));
}

TEST_CASE("Templates name their columns", "[features]") {
  CHECK(TemplateColumns("{a} and {{b}} {c}") ==
        std::vector<std::string>{"a", "c"});
  CHECK(TemplateColumns("plain")->empty());
  for (const char* wrong : {"{a", "a}", "{}", "{a{b}}", "{"}) {
    CHECK_FALSE(TemplateColumns(wrong).has_value());
  }
}

TEST_CASE("Cross columns name their table", "[features]") {
  CHECK(ParseCrossColumn("users.a.b")->column == "a.b");
  CHECK_FALSE(ParseCrossColumn("a").has_value());
  CHECK_FALSE(ParseCrossColumn("users.").has_value());
  CHECK_FALSE(ParseCrossColumn("orders.a").has_value());
}

}  // namespace
}  // namespace larr
