// SPDX-License-Identifier: Apache-2.0
#include "common/features/stored_columns.h"

#include <catch2/catch.hpp>

#include "common/config/text_proto.h"

namespace larr {
namespace {

config::v1::DatasetSpec SpecOf(const std::string& more) {
  const auto spec = ParseTextProto<config::v1::DatasetSpec>(R"(
    users { key: "user" } pois { key: "poi" }
    keywords { name: "menu" side: POI template: "{menu}" }
    scene_features: "menu"
    tabular_features { name: "age" side: USER dense { column: "age" } }
    tabular_features {
      name: "stars" side: POI buckets { column: "stars" edges: 3 }
    }
  )" + more);
  REQUIRE(spec.ok());
  return *spec;
}

TEST_CASE("A snapshot stores what tabular features read", "[features]") {
  const auto columns = EntityColumnsOf(SpecSchemas(SpecOf("")));
  CHECK(columns.ShortDebugString() == R"(users: "age" pois: "stars")");
}

TEST_CASE("A model needs every column that it reads", "[features]") {
  storage::v1::SnapshotInfo snapshot;
  *snapshot.mutable_entity_columns() = EntityColumnsOf(SpecSchemas(SpecOf("")));
  CHECK(CheckStoredColumns(SpecOf(""), snapshot).ok());
  auto less = SpecOf("");
  less.mutable_tabular_features()->RemoveLast();
  CHECK(CheckStoredColumns(less, snapshot).ok());

  const auto more = SpecOf(
      "tabular_features { name: 'x' side: CROSS hash { buckets: 10 "
      "columns: 'users.age' columns: 'pois.price' } }");
  const absl::Status missing = CheckStoredColumns(more, snapshot);
  CHECK(absl::IsFailedPrecondition(missing));
  CHECK_THAT(std::string(missing.message()),
             Catch::Contains("reads the column `price` of pois"));
  // One of before: nobody knows.
  snapshot.clear_entity_columns();
  CHECK(CheckStoredColumns(more, snapshot).ok());
}

}  // namespace
}  // namespace larr
