// SPDX-License-Identifier: Apache-2.0
#include "common/dataset/impression_stream.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <set>

#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_dataset.h"

namespace larr {
namespace {

Dataset Open(const std::filesystem::path& folder,
             const config::v1::DatasetSpec& spec = testing::TinySpec()) {
  auto dataset = OpenDataset(spec, folder);
  INFO(dataset.status().ToString());
  REQUIRE(dataset.ok());
  return *std::move(dataset);
}

std::vector<Impression> ReadAll(const Dataset& dataset,
                                const ImpressionStreamOptions& options) {
  auto stream = ImpressionStream::Open(dataset, options);
  REQUIRE(stream.ok());
  std::vector<Impression> rows;
  Impression row;
  while (true) {
    const auto more = stream->Next(row);
    INFO(more.status().ToString());
    REQUIRE(more.ok());
    if (!*more) break;
    rows.push_back(row);
  }
  return rows;
}

std::vector<std::string> Ids(const std::vector<Impression>& rows) {
  std::vector<std::string> ids;
  ids.reserve(rows.size());
  for (const auto& row : rows) {
    ids.push_back(row.request_id + "/" + row.user_id + "/" + row.poi_id);
  }
  return ids;
}

TEST_CASE("Impressions join what was known on their own day", "[dataset]") {
  const testing::TempDir dir;
  testing::WriteTinyTables(dir.path());
  const Dataset dataset = Open(dir.path());
  const auto rows = ReadAll(dataset, {.part = Part::kTrain});
  REQUIRE(rows.size() == 24);
  const auto& first = rows[0];
  CHECK(first.date == "2024-01-03");
  CHECK(first.request_id == "r2-0");
  CHECK(first.user_id == "1");
  CHECK(first.group == "1");
  CHECK(first.poi_id == "p0");
  CHECK(std::isnan(first.true_click_probability));
  CHECK(rows[1].click == 1);
  CHECK(rows[1].order == 1);
  CHECK(rows[3].user_index == -1);  // User 4 is in no table.
  CHECK(rows[3].rows().user == nullptr);
  CHECK(rows[4].rows().poi == nullptr);
  const int sold = dataset.schemas().pois.Find("sold");
  const int hour = dataset.schemas().impressions.Find("hour");
  for (const auto& row : rows) {
    const int64_t day = row.date.back() - '0';
    if (row.rows().poi) CHECK((*row.rows().poi)[sold] == Value(day));
  }
  CHECK(rows[2].values[hour] == Value(int64_t{10}));
}

TEST_CASE("A leak planted in a later partition stays unseen", "[dataset]") {
  const testing::TempDir dir;
  testing::WriteTinyTables(dir.path());
  // The partition of the training's own day is late; the next day's row tells
  // what happened meanwhile.
  std::filesystem::remove_all(dir.path() / "users" / "date=2024-01-03");
  testing::WriteParquet(
      testing::TinyFile(dir.path(), "users", "2024-01-04"),
      {{"id", ColumnType::kInteger},
       {"city", ColumnType::kString},
       {"age", ColumnType::kInteger},
       {"orders", ColumnType::kInteger},
       {"history", ColumnType::kString}},
      {{int64_t{1}, std::string("city1"), int64_t{21}, int64_t{4},
        std::string("LEAK: orders p1 on day 3")}});
  const Dataset dataset = Open(dir.path());
  const auto rows =
      ReadAll(dataset, {.part = Part::kTrain, .seed = 3, .shuffle_rows = 100});
  const int history = dataset.texts.SceneFeaturesOf(config::v1::USER)[0];
  int checked = 0;
  for (const auto& row : rows) {
    if (row.date != "2024-01-03" || row.rows().user == nullptr) continue;
    CHECK(row.users->date() == "2024-01-02");
    CHECK(dataset.texts.Render(history, *row.rows().user) ==
          "<history>ordered 2 times</history>");
    ++checked;
  }
  CHECK(checked == 9);
}

TEST_CASE("A seeded order is a permutation, and the same each time",
          "[dataset]") {
  const testing::TempDir dir;
  testing::WriteTinyTables(dir.path(), 60);
  const Dataset dataset = Open(dir.path());
  const auto plain = Ids(ReadAll(dataset, {.part = Part::kTrain}));
  const int64_t buffer = GENERATE(1, 7, 50, 1000);
  const ImpressionStreamOptions options = {
      .part = Part::kTrain, .seed = 11, .shuffle_rows = buffer};
  const auto shuffled = Ids(ReadAll(dataset, options));
  CHECK(std::multiset<std::string>(plain.begin(), plain.end()) ==
        std::multiset<std::string>(shuffled.begin(), shuffled.end()));
  if (buffer > 1) CHECK(shuffled != plain);
  CHECK(Ids(ReadAll(dataset, options)) == shuffled);
  auto other = options;
  other.seed = 12;
  if (buffer > 1) CHECK(Ids(ReadAll(dataset, other)) != shuffled);

  SECTION("a reader goes on exactly where it stopped") {
    for (const int64_t skip : {1, 59, 61, 119, 120, 500}) {
      auto rest = options;
      rest.skip_rows = skip;
      const auto from = std::min<size_t>(skip, shuffled.size());
      CHECK(Ids(ReadAll(dataset, rest)) ==
            std::vector<std::string>(shuffled.begin() + from, shuffled.end()));
    }
  }
  SECTION("max_rows ends it, with skipped rows counted") {
    auto some = options;
    some.skip_rows = 10;
    some.max_rows = 25;
    CHECK(
        Ids(ReadAll(dataset, some)) ==
        std::vector<std::string>(shuffled.begin() + 10, shuffled.begin() + 25));
    const auto stream = ImpressionStream::Open(dataset, some);
    CHECK(stream->total_rows() == 25);
    CHECK(stream->position() == 10);
  }
}

TEST_CASE("Parts by a column or a hash share no row", "[dataset]") {
  const testing::TempDir dir;
  testing::WriteTinyTables(dir.path(), 60);
  auto spec = testing::TinySpec();
  spec.mutable_split()->mutable_hash()->set_column("request");
  spec.mutable_split()->mutable_hash()->set_validation_fraction(0.25);
  spec.mutable_split()->mutable_hash()->set_test_fraction(0.25);
  const Dataset dataset = Open(dir.path(), spec);
  std::set<std::string> seen;
  size_t rows = 0;
  for (const Part part : {Part::kTrain, Part::kValidation, Part::kTest}) {
    std::set<std::string> requests;
    for (const auto& row : ReadAll(dataset, {.part = part})) {
      requests.insert(row.request_id);
      ++rows;
    }
    CHECK_FALSE(requests.empty());
    for (const auto& request : requests) CHECK(seen.insert(request).second);
  }
  CHECK(rows == 360);
  CHECK(Ids(ReadAll(dataset, {.part = Part::kPairs})) ==
        Ids(ReadAll(dataset, {.part = Part::kTrain})));
}

TEST_CASE("A stream stops at a label that is wrong", "[dataset]") {
  const testing::TempDir dir;
  testing::WriteTinyTables(dir.path());
  auto columns = testing::TinyImpressionColumns();
  columns.push_back({"truth", ColumnType::kNumber});
  auto rows = testing::TinyImpressions(2, 12);
  for (auto& row : rows) row.emplace_back(0.25);
  std::string message;
  SECTION("not 0 or 1") {
    rows[7][6] = int64_t{9};
    message = "column `click`, row 8: the label is 9; write 0 or 1";
  }
  SECTION("an order without a click") {
    rows[2][7] = int64_t{1};
    message = "column `order`, row 3: an order without a click";
  }
  SECTION("a hidden probability that is null") {
    rows[4][8] = ParquetWriter::Cell();
    message = "column `truth`, row 5: the probability is null";
  }
  for (const std::string& day : testing::TinyDays())
    testing::WriteParquet(testing::TinyFile(dir.path(), "impressions", day),
                          columns, rows);
  auto spec = testing::TinySpec();
  spec.mutable_impressions()->set_true_click_probability_column("truth");
  const Dataset dataset = Open(dir.path(), spec);
  auto stream = ImpressionStream::Open(dataset, {.part = Part::kTrain});
  REQUIRE(stream.ok());
  Impression row;
  absl::StatusOr<bool> more = true;
  while (more.ok() && *more) more = stream->Next(row);
  CHECK_THAT(more.status().ToString(), Catch::Contains(message));
}

TEST_CASE("An empty key is nobody's", "[dataset]") {
  const testing::TempDir dir;
  testing::WriteTinyTables(dir.path());
  auto rows = testing::TinyImpressions(2, 12);
  rows[0][2] = std::string();
  testing::WriteParquet(
      testing::TinyFile(dir.path(), "impressions", "2024-01-03"),
      testing::TinyImpressionColumns(), rows);
  auto spec = testing::TinySpec();
  auto& feature = *spec.add_tabular_features();
  feature.set_name("of-the-row");
  feature.set_side(config::v1::CROSS);
  feature.mutable_vocabulary()->set_column("impressions.poi");
  const Dataset dataset = Open(dir.path(), spec);
  const int column = dataset.schemas().impressions.Find("poi");
  REQUIRE(column >= 0);
  const auto read = ReadAll(dataset, {.part = Part::kTrain});
  CHECK(read[0].poi_index == -1);
  CHECK(IsNull(read[0].values[column]));
  CHECK(read[1].values[column] == Value("p1"));
}

}  // namespace
}  // namespace larr
