// SPDX-License-Identifier: Apache-2.0
#include "services/stage/corpus_files.h"

#include <catch2/catch.hpp>

#include "tests/services/stage/tiny_corpus.h"
#include "tests/testing/temp_dir.h"

namespace larr::stage {
namespace {

using testing::Slot;

TEST_CASE("The files of a corpus are read as they were written") {
  const testing::TempDir dir;
  testing::WriteTinyTables(dir.path());
  const auto descriptions = ReadDescriptions(dir.path());
  REQUIRE(descriptions.ok());
  REQUIRE(descriptions->size() == 20);
  CHECK((*descriptions)[4].held_out);
  CHECK(!(*descriptions)[5].held_out);
  CHECK((*descriptions)[4].y_kinds.size() == (*descriptions)[4].y.size());
  CHECK((*descriptions)[5].y_kinds.empty());
  CHECK((*descriptions)[1].x ==
        Slot("POI_name", "pizza 1") + Slot("POI_place", "Oslo"));
  CHECK((*descriptions)[1].y ==
        Slot("POI_menu", "pizza, tea") + Slot("POI_tags", "local pizza"));

  const auto users = ReadEntities(dir.path(), Table::kUsers);
  REQUIRE(users.ok());
  CHECK(users->size() == 7);
  CHECK((*users)[2].texts[0] == Slot("profile", "likes salad"));
  const auto pois = ReadEntities(dir.path(), Table::kPois);
  REQUIRE(pois.ok());
  CHECK((*pois)[3].same_value == "Oslo");
  CHECK((*pois)[3].date == "2024-01-03");

  const auto pairs = ReadPairs(dir.path());
  REQUIRE(pairs.ok());
  CHECK((*pairs)[9].user_id == "u2");
  CHECK((*pairs)[9].context == std::vector{Slot("weather", "cold")});
  const auto known = ReadKnownOrders(dir.path());
  REQUIRE(known.ok());
  CHECK((*known)[9] == std::pair<std::string, std::string>("u2", "p9"));
  REQUIRE(
      WriteFileAtomically(dir.path() / kDatasetSpecFile, testing::kTinyDataset)
          .ok());
  CHECK(ReadDatasetSpec(dir.path())->name() == "tiny");
}

TEST_CASE("A corpus of another shape is refused by file and column") {
  const testing::TempDir dir;
  CHECK(absl::IsNotFound(ReadPairs(dir.path()).status()));
  {
    testing::TinyCorpusFile file(
        dir.path() / "pairs.parquet",
        {{"user_id", ColumnType::kString}, {"poi_id", ColumnType::kInteger}});
    file.Add({"u", int64_t{1}});
  }
  const auto status = ReadPairs(dir.path()).status();
  CHECK(absl::IsInvalidArgument(status));
  CHECK_THAT(status.ToString(),
             Catch::Contains("pairs.parquet: column `poi_id` is of type"));
}

}  // namespace
}  // namespace larr::stage
