// SPDX-License-Identifier: Apache-2.0
#include "common/dataset/malformed_text.h"

#include <catch2/catch.hpp>

#include "common/dataset/entity_snapshots.h"
#include "common/dataset/impression_stream.h"
#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_dataset.h"

namespace larr {
namespace {

using config::v1::DatasetSpec;

// The tiny dataset with a user's history in Latin-1 and a cut weather.
DatasetSpec WriteTables(const std::filesystem::path& folder) {
  testing::WriteTinyTables(folder);
  const std::string& day = testing::TinyDays().back();
  testing::WriteParquet(
      testing::TinyFile(folder, "users", day),
      {{"id", ColumnType::kInteger},
       {"city", ColumnType::kString},
       {"age", ColumnType::kInteger},
       {"orders", ColumnType::kInteger},
       {"history", ColumnType::kString}},
      {{int64_t{1}, "city1", int64_t{21}, int64_t{6}, "caf\xC3\xA9"},
       {int64_t{2}, "city0", int64_t{22}, int64_t{6}, "caf\xE9 twice"}});
  auto rows = testing::TinyImpressions(5, 12);
  rows[6][4] = std::string("dry \xF0\x9F");
  testing::WriteParquet(testing::TinyFile(folder, "impressions", day),
                        testing::TinyImpressionColumns(), rows);
  return testing::TinySpec();
}

Dataset Open(const DatasetSpec& spec, const std::filesystem::path& folder) {
  auto dataset = OpenDataset(spec, folder);
  INFO(dataset.status().ToString());
  REQUIRE(dataset.ok());
  return *std::move(dataset);
}

absl::Status ReadRows(ImpressionStream& stream, std::vector<Impression>& rows) {
  Impression row;
  while (true) {
    const auto more = stream.Next(row);
    if (!more.ok()) return more.status();
    if (!*more) return absl::OkStatus();
    rows.push_back(row);
  }
}

TEST_CASE("A text that is not UTF-8 is refused by file, column and row",
          "[dataset]") {
  const testing::TempDir dir;
  const Dataset dataset = Open(WriteTables(dir.path()), dir.path());
  EntitySnapshots users(dataset, Table::kUsers);
  CHECK(users.At("2024-01-05").ok());
  const auto status = users.At("2024-01-06").status();
  CHECK(absl::IsInvalidArgument(status));
  CHECK_THAT(status.ToString(),
             Catch::Contains("users/date=2024-01-06/part-0.parquet") &&
                 Catch::Contains("column `history`, row 2:") &&
                 Catch::Contains("byte 3") &&
                 Catch::Contains("malformed_text: REPLACE"));
}

TEST_CASE("A text of an impression is refused, too", "[dataset]") {
  const testing::TempDir dir;
  auto spec = WriteTables(dir.path());
  testing::WriteTinyTables(dir.path() / "fine");
  spec.mutable_users()->set_path("fine/users");
  const Dataset dataset = Open(spec, dir.path());
  auto stream = ImpressionStream::Open(dataset, {.part = Part::kTest});
  REQUIRE(stream.ok());
  std::vector<Impression> rows;
  const auto status = ReadRows(*stream, rows);
  CHECK(rows.size() == 6);
  CHECK(absl::IsInvalidArgument(status));
  CHECK_THAT(status.ToString(), Catch::Contains("column `sky`, row 7:"));
}

TEST_CASE("Where the spec says so, wrong bytes are replaced", "[dataset]") {
  const testing::TempDir dir;
  auto spec = WriteTables(dir.path());
  spec.set_malformed_text(DatasetSpec::REPLACE);
  const Dataset dataset = Open(spec, dir.path());
  EntitySnapshots users(dataset, Table::kUsers);
  const auto partition = users.At("2024-01-06");
  REQUIRE(partition.ok());
  const int history = dataset.schemas().users.Find("history");
  CHECK((*partition)->row(0)[history] == Value("caf\u00E9"));
  CHECK((*partition)->row(1)[history] == Value("caf\uFFFD twice"));
  auto stream = ImpressionStream::Open(dataset, {.part = Part::kTest});
  REQUIRE(stream.ok());
  std::vector<Impression> rows;
  REQUIRE(ReadRows(*stream, rows).ok());
  REQUIRE(rows.size() == 12);
  const int sky = dataset.schemas().impressions.Find("sky");
  CHECK(rows[6].values[sky] == Value("dry \uFFFD\uFFFD"));
  CHECK(rows[7].values[sky] == Value("rain"));
}

}  // namespace
}  // namespace larr
