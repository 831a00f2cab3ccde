// SPDX-License-Identifier: Apache-2.0
#include "common/dataset/slice_check.h"

#include <catch2/catch.hpp>

#include "common/dataset/dataset_spec.h"
#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_dataset.h"

namespace larr {
namespace {

using config::v1::DatasetSpec;

std::string Refused(const std::string& slices) {
  const testing::TempDir dir;
  testing::WriteTinyTables(dir.path());
  DatasetSpec spec = testing::TinySpec();
  spec.MergeFrom(ParseTextProto<DatasetSpec>(slices).value());
  const auto dataset = OpenDataset(spec, dir.path());
  return dataset.ok() ? "" : std::string(dataset.status().message());
}

TEST_CASE("slices of strings, integers and ranges are taken", "[dataset]") {
  CHECK(Refused(R"pb(
          slices { name: "wet" column: "impressions.sky" values: "rain" }
          slices {
            name: "noon"
            column: "impressions.hour"
            values: [ "8", "10" ]
          }
          slices { name: "far" column: "impressions.distance" at_least: 2.5 }
          slices { name: "old" column: "users.age" at_least: 22 below: 30 }
          slices { name: "known" column: "pois.sold" below: 3 })pb") == "");
}

TEST_CASE("a slice that cannot be cut is refused", "[dataset]") {
  const struct {
    std::string slices, message;
  } cases[] = {
      {"slices { name: 'Wet' column: 'impressions.sky' values: 'rain' }",
       "slices: the name `Wet` is not made of lower-case letters"},
      {"slices { column: 'impressions.sky' values: 'rain' }", "the name ``"},
      {"slices { name: 'cold' column: 'impressions.sky' values: 'rain' }",
       "slice cold: metrics use this name already"},
      {"slices { name: 'a' column: 'users.age' below: 3 }"
       "slices { name: 'a' column: 'users.age' at_least: 3 }",
       "slice a: the name is there twice"},
      {"slices { name: 'a' column: 'sky' values: 'rain' }",
       "slice a: column `sky` names no table; write users.x, pois.x or "
       "impressions.x"},
      {"slices { name: 'a' column: 'users.age' }",
       "slice a: set either values, or at_least, below or both"},
      {"slices { name: 'a' column: 'users.age' values: '3' below: 3 }",
       "slice a: set either values, or at_least, below or both"},
      {"slices { name: 'a' column: 'users.age' at_least: 3 below: 3 }",
       "slice a: at_least 3 is not less than below 3"},
      {"slices { name: 'a' column: 'users.age' below: nan }",
       "slice a: at_least 0 and below nan must be finite"},
      {"slices { name: 'a' column: 'users.weight' below: 3 }",
       "slice a reads column `weight`, which does not exist"},
      {"slices { name: 'a' column: 'impressions.sky' below: 3 }",
       "slice a has a range, but column `sky` is a string; name its values"},
      {"slices { name: 'a' column: 'impressions.distance' values: '3' }",
       "slice a names values, but column `distance` is a double; set at_least"},
      {"slices { name: 'a' column: 'users.age' values: [ '21', '07' ] }",
       "slice a: no value of column `age` of type int64 is `07`"},
      {"slices { name: 'a' column: 'users.age' values: 'old' }",
       "is `old`; write whole numbers, 0 and 1 for booleans"},
  };
  for (const auto& c : cases) {
    INFO(c.slices);
    CHECK_THAT(Refused(c.slices), Catch::Contains(c.message));
  }
}

TEST_CASE("a slice of a table that the spec lacks is refused", "[dataset]") {
  const testing::TempDir dir;
  testing::WriteTinyTables(dir.path());
  auto spec = ParseTextProto<DatasetSpec>(R"pb(
                name: "bare"
                impressions { path: "impressions" click_column: "click" }
                split {
                  dates {
                    pairs_begin: "2024-01-02"
                    train_begin: "2024-01-03"
                    validation_begin: "2024-01-05"
                    test_begin: "2024-01-06"
                  }
                }
                gauc_group_column: "user"
                slices { name: "old" column: "users.age" at_least: 30 })pb")
                  .value();
  const auto dataset = OpenDataset(spec, dir.path());
  CHECK_THAT(dataset.status().ToString(),
             Catch::Contains("slice old reads the table users, which the spec "
                             "does not have"));
}

}  // namespace
}  // namespace larr
