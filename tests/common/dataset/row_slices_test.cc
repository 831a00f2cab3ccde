// SPDX-License-Identifier: Apache-2.0
#include "common/dataset/row_slices.h"

#include <catch2/catch.hpp>

#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_dataset.h"

namespace larr {
namespace {

// The rows of a part, each as the names of its slices.
std::vector<std::string> SlicesOf(const Dataset& dataset, Part part) {
  const RowSlices slices(dataset);
  auto stream =
      ImpressionStream::Open(dataset, {.part = part, .slice_columns = true})
          .value();
  std::vector<std::string> rows;
  Impression row;
  while (stream.Next(row).value()) {
    std::string& text = rows.emplace_back();
    for (size_t s = 0; s < slices.names().size(); ++s)
      if (slices.Holds(s, row)) text += slices.names()[s] + " ";
  }
  return rows;
}

Dataset Open(const testing::TempDir& dir, const std::string& slices) {
  testing::WriteTinyTables(dir.path());
  auto spec = testing::TinySpec();
  spec.MergeFrom(ParseTextProto<config::v1::DatasetSpec>(slices).value());
  auto dataset = OpenDataset(spec, dir.path());
  INFO(dataset.status().ToString());
  REQUIRE(dataset.ok());
  return *std::move(dataset);
}

TEST_CASE("rows are in slices by value and by range", "[dataset]") {
  const testing::TempDir dir;
  const Dataset dataset =
      Open(dir, R"pb(
        slices {
          name: "wet"
          column: "impressions.sky"
          values: [ "rain", "snow" ]
        }
        slices {
          name: "ends"
          column: "impressions.hour"
          values: [ "8", "10" ]
        }
        slices { name: "near" column: "impressions.distance" below: 1 }
        slices {
          name: "far"
          column: "impressions.distance"
          at_least: 1
          below: 2
        })pb");
  const auto rows = SlicesOf(dataset, Part::kTrain);
  REQUIRE(rows.size() == 24);
  CHECK(rows[0] == "ends near ");     // dry, 8, 0
  CHECK(rows[1] == "wet near ");      // rain, 9, 0.5
  CHECK(rows[2] == "ends far ");      // dry, 10, 1
  CHECK(rows[3] == "wet ends far ");  // rain, 8, 1.5
  CHECK(rows[4] == "");               // dry, 9, 2
}

TEST_CASE("slices of entities are as of the row's own day", "[dataset]") {
  const testing::TempDir dir;
  const Dataset dataset = Open(dir, R"pb(
    slices { name: "third" column: "users.orders" at_least: 3 below: 4 }
    slices { name: "fourth" column: "pois.sold" values: "4" })pb");
  const auto rows = SlicesOf(dataset, Part::kTrain);
  REQUIRE(rows.size() == 24);
  for (size_t i = 0; i < rows.size(); ++i) {
    CAPTURE(i);
    // User 4 and item p4 are in no table; 12 rows a day, the third and fourth.
    const size_t in_day = i % 12;
    if (i < 12)
      CHECK(rows[i] == (in_day % 4 == 3 ? "" : "third "));
    else
      CHECK(rows[i] == (in_day % 5 == 4 ? "" : "fourth "));
  }
}

TEST_CASE("a slice's column needs no feature that reads it", "[dataset]") {
  const testing::TempDir dir;
  const Dataset dataset = Open(dir, R"pb(
    slices { name: "told" column: "pois.intro" values: "We cook p1." }
    slices { name: "first" column: "impressions.request" values: "r2-0" }
    slices { name: "user" column: "impressions.user" values: "2" })pb");
  CHECK(dataset.schemas().impressions.Find("request") < 0);
  CHECK(dataset.schemas().impressions.Find("user") < 0);
  const auto rows = SlicesOf(dataset, Part::kTrain);
  CHECK(rows[0] == "first ");
  CHECK(rows[1] == "told first user ");
  CHECK(rows[3] == "");  // p3 says nothing of itself.
  CHECK(rows[6] == "told ");

  // Other readers' rows are as they were.
  auto stream = ImpressionStream::Open(dataset, {.part = Part::kTrain}).value();
  Impression row;
  REQUIRE(stream.Next(row).value());
  CHECK(static_cast<int>(row.values.size()) ==
        dataset.schemas().impressions.size());
  CHECK(static_cast<int>(row.rows().poi->size()) ==
        dataset.schemas().pois.size());
}

TEST_CASE("a table of the impressions' own columns has slices, too",
          "[dataset]") {
  const testing::TempDir dir;
  testing::WriteTinyTables(dir.path());
  auto spec = testing::TinySpec();
  spec.mutable_users()->clear_path();
  spec.mutable_users()->set_key("user");
  spec.mutable_users()->set_from_impressions(true);
  spec.clear_keywords();
  spec.clear_scene_features();
  spec.clear_tabular_features();
  spec.clear_user_embedding_features();
  spec.clear_poi_embedding_features();
  auto* slice = spec.add_slices();
  slice->set_name("wet");
  slice->set_column("users.sky");
  slice->add_values("rain");
  const Dataset dataset = OpenDataset(spec, dir.path()).value();
  // The first row of user 4 is a wet one, that of user 1 is not.
  const auto rows = SlicesOf(dataset, Part::kTest);
  CHECK(rows[0] == "");
  CHECK(rows[3] == "wet ");
  CHECK(rows[7] == "wet ");
}

}  // namespace
}  // namespace larr
