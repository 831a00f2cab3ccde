// SPDX-License-Identifier: Apache-2.0
#include "common/dataset/entity_snapshots.h"

#include <catch2/catch.hpp>

#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_dataset.h"

namespace larr {
namespace {

TEST_CASE("A day sees the newest partition that is not after it", "[dataset]") {
  const testing::TempDir dir;
  testing::WriteTinyTables(dir.path());
  std::filesystem::remove_all(dir.path() / "users" / "date=2024-01-01");
  std::filesystem::remove_all(dir.path() / "users" / "date=2024-01-03");
  const auto dataset = OpenDataset(testing::TinySpec(), dir.path());
  REQUIRE(dataset.ok());
  EntitySnapshots users(*dataset, Table::kUsers);
  CHECK(users.dates() == std::vector<std::string>{"2024-01-02", "2024-01-04",
                                                  "2024-01-05", "2024-01-06"});
  const int orders = dataset->schemas().users.Find("orders");
  const auto seen = [&](const std::string& day) -> Value {
    const auto partition = users.At(day);
    REQUIRE(partition.ok());
    if (*partition == nullptr) return {};
    return (*partition)->row((*partition)->Find("2"))[orders];
  };
  CHECK(seen("2024-01-01") == Value());  // Only later ones: nothing is known.
  CHECK(seen("2024-01-02") == Value(int64_t{2}));
  CHECK(seen("2024-01-03") == Value(int64_t{2}));
  CHECK(seen("2024-01-04") == Value(int64_t{4}));
  CHECK(seen("2025-01-01") == Value(int64_t{6}));
  CHECK((*users.Newest())->date() == "2024-01-06");
  CHECK((*users.Newest())->Find("4") == -1);
}

TEST_CASE("Undated tables are the same every day", "[dataset]") {
  const testing::TempDir dir;
  testing::WriteTinyTables(dir.path());
  auto spec = testing::TinySpec();
  spec.mutable_pois()->set_path("pois/date=2024-01-01/part-0.parquet");
  const auto dataset = OpenDataset(spec, dir.path());
  REQUIRE(dataset.ok());
  EntitySnapshots pois(*dataset, Table::kPois);
  CHECK(pois.dates() == std::vector<std::string>{""});
  CHECK((*pois.At("2024-01-04"))->size() == 4);
  CHECK(*pois.At("2024-01-04") == *pois.At(""));
}

TEST_CASE("Tables can be projected from the impressions", "[dataset]") {
  const testing::TempDir dir;
  testing::WriteTinyTables(dir.path());
  auto spec = testing::TinySpecOfImpressions();
  const auto dataset = OpenDataset(spec, dir.path());
  INFO(dataset.status().ToString());
  REQUIRE(dataset.ok());
  EntitySnapshots pois(*dataset, Table::kPois);
  const auto day = *pois.At("2024-01-02");
  CHECK(day->size() == 5);
  CHECK(day->row(day->Find("p1"))[0] == Value("rain"));  // Its first row.
  CHECK(day->contradictions() == 5);

  SECTION("a missing table has no dates") {
    spec.clear_users();
    spec.clear_tabular_features();
    spec.clear_user_embedding_features();
    const auto without = OpenDataset(spec, dir.path());
    REQUIRE(without.ok());
    EntitySnapshots users(*without, Table::kUsers);
    CHECK_FALSE(users.present());
    CHECK(*users.At("2024-01-02") == nullptr);
    CHECK(*users.Newest() == nullptr);
  }
}

}  // namespace
}  // namespace larr
