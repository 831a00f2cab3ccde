// SPDX-License-Identifier: Apache-2.0
#include "common/dataset/parquet_reader.h"

#include <catch2/catch.hpp>
#include <fstream>

#include "tests/testing/every_type.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

TEST_CASE("Rows survive the way through Parquet", "[dataset]") {
  const testing::TempDir dir;
  const auto path = dir.path() / "a.parquet";
  testing::WriteEveryType(path);
  const auto file = ParquetFile::Open(path);
  REQUIRE(file.ok());
  CHECK(file->rows() == 3);
  REQUIRE(file->columns().size() == 5);
  CHECK(file->Find("l")->type == ColumnType::kStringList);
  CHECK(file->Find("none") == nullptr);

  const auto group = file->Read(0, {"s", "i", "l", "d", "i", "f"});
  REQUIRE(group.ok());
  Value value = std::string("reused");
  group->column(0).Read(0, value);
  CHECK(value == Value("a"));
  group->column(1).Read(2, value);
  CHECK(value == Value(int64_t{-3}));
  group->column(3).Read(2, value);
  CHECK(value == Value(2.0));
  group->column(3).Read(1, value);
  CHECK(value == Value());
  CHECK(group->column(4).Integer(0) == 1);
  std::vector<std::string> list;
  group->column(2).ReadList(0, list);
  CHECK(list == std::vector<std::string>{"x", "", "y"});
  group->column(2).ReadList(1, list);
  CHECK(list.empty());
  CHECK(file->Find("f")->type == ColumnType::kNumberList);
  std::vector<float> numbers;
  group->column(5).ReadList(0, numbers);
  CHECK(numbers == std::vector<float>{0.5f, -2});
  group->column(5).ReadList(1, numbers);
  CHECK(numbers.empty());
}

TEST_CASE("Files that cannot be read are named", "[dataset]") {
  const testing::TempDir dir;
  const auto path = dir.path() / "broken.parquet";
  CHECK(absl::IsNotFound(ParquetFile::Open(path).status()));
  std::ofstream(path) << "this is not Parquet, but long enough to look";
  const auto status = ParquetFile::Open(path).status();
  CHECK(absl::IsDataLoss(status));
  CHECK_THAT(status.ToString(), Catch::Contains("broken.parquet"));

  testing::WriteEveryType(path);
  const auto file = ParquetFile::Open(path);
  REQUIRE(file.ok());
  CHECK_THAT(file->Read(0, {"nothing"}).status().ToString(),
             Catch::Contains("column `nothing` does not exist"));
}

}  // namespace
}  // namespace larr
