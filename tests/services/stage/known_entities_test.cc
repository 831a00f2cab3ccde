// SPDX-License-Identifier: Apache-2.0
#include "services/stage/known_entities.h"

#include <catch2/catch.hpp>
#include <vector>

#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_dataset.h"

namespace larr::stage {
namespace {

// "<id> of <date>" of each.
std::vector<std::string> Known(const Dataset& dataset, Table table) {
  const auto known = KnownEntities::Read(dataset, table);
  REQUIRE(known.ok());
  std::vector<std::string> names;
  REQUIRE(known
              ->ForEach([&](const std::string& id, const std::string& date,
                            const Row& row) {
                CHECK(row.size() ==
                      static_cast<size_t>(dataset.schemas().of(table).size()));
                names.push_back(id + " of " + date);
                return absl::OkStatus();
              })
              .ok());
  return names;
}

TEST_CASE("With dates, the newest before the cut-off are known", "[stage]") {
  const testing::TempDir dir;
  testing::WriteTinyTables(dir.path());
  const auto dataset = OpenDataset(testing::TinySpec(), dir.path());
  REQUIRE(dataset.ok());
  CHECK(Known(*dataset, Table::kUsers) ==
        std::vector<std::string>{"1 of 2024-01-02", "2 of 2024-01-02",
                                 "3 of 2024-01-02"});

  for (const char* day : {"2024-01-01", "2024-01-02"}) {
    std::filesystem::remove_all(
        testing::TinyFile(dir.path(), "users", day).parent_path());
  }
  const auto late = OpenDataset(testing::TinySpec(), dir.path());
  REQUIRE(late.ok());
  CHECK(Known(*late, Table::kUsers).empty());
}

TEST_CASE("Without dates, those of training rows are known", "[stage]") {
  const testing::TempDir dir;
  testing::WriteTinyTables(dir.path(), 60);
  auto spec = testing::TinySpec();
  auto& hash = *spec.mutable_split()->mutable_hash();
  hash.set_column("user");
  hash.set_validation_fraction(0.3);
  hash.set_test_fraction(0.3);
  hash.set_seed(2);
  const auto dataset = OpenDataset(spec, dir.path());
  REQUIRE(dataset.ok());
  std::vector<std::string> expected;
  for (const char* user : {"1", "2", "3"}) {
    if (dataset->split.OfValue(user) == Part::kTrain)
      expected.push_back(std::string(user) + " of 2024-01-06");
  }
  REQUIRE(expected.size() < 3);
  CHECK(Known(*dataset, Table::kUsers) == expected);
}

TEST_CASE("The first error ends it", "[stage]") {
  const testing::TempDir dir;
  testing::WriteTinyTables(dir.path());
  const auto dataset = OpenDataset(testing::TinySpec(), dir.path());
  REQUIRE(dataset.ok());
  int calls = 0;
  const auto known = KnownEntities::Read(*dataset, Table::kPois);
  CHECK(absl::IsAborted(known->ForEach([&](const auto&...) {
    return ++calls == 2 ? absl::AbortedError("enough") : absl::OkStatus();
  })));
  CHECK(calls == 2);
}

}  // namespace
}  // namespace larr::stage
