// SPDX-License-Identifier: Apache-2.0
#include "common/dataset/data_files.h"

#include <catch2/catch.hpp>
#include <fstream>

#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

void Touch(const std::filesystem::path& path) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path) << "x";
}

TEST_CASE("Files of a table come by day and name", "[dataset]") {
  const testing::TempDir dir;
  Touch(dir.path() / "date=2024-01-02" / "a.parquet");
  Touch(dir.path() / "date=2024-01-01" / "b.parquet");
  Touch(dir.path() / "date=2024-01-01" / "a.parquet");
  Touch(dir.path() / "date=2024-01-01" / "_SUCCESS");
  Touch(dir.path() / "date=2024-01-01" / "notes.txt");
  const auto files = ListDataFiles(dir.path());
  REQUIRE(files.ok());
  REQUIRE(files->size() == 3);
  CHECK((*files)[0].date == "2024-01-01");
  CHECK((*files)[1].path.filename() == "b.parquet");
  CHECK((*files)[2].date == "2024-01-02");

  SECTION("a link to nothing is no folder") {
    std::filesystem::create_symlink(dir.path() / "gone", dir.path() / "latest");
    CHECK(ListDataFiles(dir.path())->size() == 3);
  }
  SECTION("one file has no day") {
    const auto one = ListDataFiles((*files)[0].path);
    REQUIRE(one.ok());
    CHECK(one->at(0).date.empty());
  }
  SECTION("a file beside the partitions is refused") {
    Touch(dir.path() / "stray.parquet");
    CHECK_THAT(ListDataFiles(dir.path()).status().ToString(),
               Catch::Contains("stray.parquet: this file is outside"));
  }
  SECTION("a folder that is no date is refused") {
    Touch(dir.path() / "date=2024-02-30" / "a.parquet");
    CHECK_THAT(ListDataFiles(dir.path()).status().ToString(),
               Catch::Contains("date=2024-02-30: not a daily partition"));
  }
}

TEST_CASE("Nothing to read is an error", "[dataset]") {
  const testing::TempDir dir;
  CHECK(absl::IsNotFound(ListDataFiles(dir.path()).status()));
  CHECK(absl::IsNotFound(ListDataFiles(dir.path() / "none").status()));
}

}  // namespace
}  // namespace larr
