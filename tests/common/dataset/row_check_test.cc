// SPDX-License-Identifier: Apache-2.0
#include "common/dataset/row_check.h"

#include <catch2/catch.hpp>

#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_dataset.h"

namespace larr {
namespace {

using Catch::Contains;

absl::StatusOr<PartCounts> Check(const std::filesystem::path& folder,
                                 const config::v1::DatasetSpec& spec) {
  const auto dataset = OpenDataset(spec, folder);
  INFO(dataset.status().ToString());
  REQUIRE(dataset.ok());
  return CheckRows(*dataset);
}

TEST_CASE("CheckRows counts the parts of a sound dataset", "[dataset]") {
  const testing::TempDir dir;
  testing::WriteTinyTables(dir.path());
  const auto counts = Check(dir.path(), testing::TinySpec());
  INFO(counts.status().ToString());
  REQUIRE(counts.ok());
  CHECK(*counts == PartCounts{12, 12, 24, 12, 12, 0});
}

TEST_CASE("CheckRows names the wrong cell", "[dataset]") {
  const testing::TempDir dir;
  testing::WriteTinyTables(dir.path());
  const auto path = testing::TinyFile(dir.path(), "impressions", "2024-01-03");
  auto rows = testing::TinyImpressions(2, 12);
  const auto message = [&] {
    testing::WriteParquet(path, testing::TinyImpressionColumns(), rows);
    return Check(dir.path(), testing::TinySpec()).status().ToString();
  };
  SECTION("a label of 2") {
    rows[4][6] = int64_t{2};
    CHECK_THAT(message(), Contains("date=2024-01-03/part-0.parquet: column "
                                   "`click`, row 5: the label is 2"));
  }
  SECTION("a null label") {
    rows[0][7] = std::monostate();
    CHECK_THAT(message(), Contains("column `order`, row 1: the label is null"));
  }
  SECTION("an order without a click") {
    rows[2][7] = int64_t{1};
    CHECK_THAT(message(),
               Contains("column `order`, row 3: an order without a click"));
  }
}

TEST_CASE("CheckRows finds repeated and null keys", "[dataset]") {
  const testing::TempDir dir;
  testing::WriteTinyTables(dir.path());
  auto spec = testing::TinySpec();
  spec.clear_keywords();
  spec.clear_scene_features();
  spec.clear_tabular_features();
  spec.clear_user_embedding_features();
  spec.clear_poi_embedding_features();
  const auto path = testing::TinyFile(dir.path(), "users", "2024-01-05");
  const auto with_keys = [&](testing::Cells keys) {
    testing::WriteParquet(path, {{"id", ColumnType::kInteger}}, keys);
    return Check(dir.path(), spec).status().ToString();
  };
  CHECK_THAT(with_keys({{int64_t{1}}, {int64_t{2}}, {int64_t{1}}}),
             Contains("column `id`, row 3: the key `1` is there twice"));
  CHECK_THAT(with_keys({{ParquetWriter::Cell()}}),
             Contains("column `id`, row 1: the key is null"));
  testing::WriteParquet(path, {{"id", ColumnType::kString}},
                        {{std::string("7")}, {std::string()}});
  CHECK_THAT(Check(dir.path(), spec).status().ToString(),
             Contains("column `id`, row 2: the key is null or empty"));
}

TEST_CASE("CheckRows refuses an empty part", "[dataset]") {
  const testing::TempDir dir;
  testing::WriteTinyTables(dir.path());
  auto spec = testing::TinySpec();
  spec.mutable_split()->mutable_dates()->set_test_begin("2024-02-01");
  CHECK_THAT(Check(dir.path(), spec).status().ToString(),
             Contains("the test part has no row; the impressions are from "
                      "2024-01-01 to 2024-01-06"));
  spec.mutable_split()->mutable_column()->set_column("sky");
  spec.mutable_split()->mutable_column()->set_train_value("dry");
  spec.mutable_split()->mutable_column()->set_validation_value("rain");
  spec.mutable_split()->mutable_column()->set_test_value("snow");
  CHECK_THAT(Check(dir.path(), spec).status().ToString(),
             Contains("the test part has no row"));
}

}  // namespace
}  // namespace larr
