// SPDX-License-Identifier: Apache-2.0
#include "common/dataset/parquet_reader.h"

#include <arrow/api.h>
#include <arrow/io/file.h>
#include <parquet/arrow/writer.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>

#include "common/base/files.h"
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

// A file of one column, by Arrow itself: our writer knows fewer types.
template <typename Builder, typename T>
void WriteColumn(const std::filesystem::path& path,
                 const std::vector<T>& values) {
  Builder builder;
  REQUIRE(builder.AppendValues(values).ok());
  REQUIRE(builder.AppendNull().ok());
  const auto array = *builder.Finish();
  const auto table = arrow::Table::Make(
      arrow::schema({arrow::field("x", array->type())}), {array});
  const auto out = *arrow::io::FileOutputStream::Open(path.string());
  REQUIRE(parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), out)
              .ok());
  REQUIRE(out->Close().ok());
}

TEST_CASE("A float32 is the number that people wrote", "[dataset]") {
  const testing::TempDir dir;
  const auto path = dir.path() / "a.parquet";
  const std::vector<float> values = {
      4.7f, 0.1f, -3, 1e30f, 1.5f, std::numeric_limits<float>::infinity()};
  WriteColumn<arrow::FloatBuilder>(path, values);
  const auto file = ParquetFile::Open(path);
  REQUIRE(file.ok());
  const auto group = file->Read(0, {"x"});
  REQUIRE(group.ok());
  const ColumnView& column = group->column(0);
  Value value;
  column.Read(0, value);
  CHECK(value == Value(4.7));
  CHECK(ToText(value) == "4.7");
  CHECK(column.Number(1) == 0.1);
  CHECK(column.Number(2) == -3);
  CHECK(column.Number(3) == 1e30f);  // Whole: no digit is a guess.
  CHECK(column.Number(4) == 1.5);
  CHECK(std::isinf(column.Number(5)));
  CHECK(column.IsNull(6));
}

TEST_CASE("An integer beyond int64 is refused, not another one", "[dataset]") {
  const testing::TempDir dir;
  const auto path = dir.path() / "a.parquet";
  WriteColumn<arrow::UInt64Builder>(
      path, std::vector<uint64_t>{7, uint64_t{1} << 62});
  const auto fits = ParquetFile::Open(path)->Read(0, {"x"});
  REQUIRE(fits.ok());
  CHECK(fits->column(0).Integer(1) == int64_t{1} << 62);
  WriteColumn<arrow::UInt64Builder>(
      path, std::vector<uint64_t>{7, uint64_t{1} << 63});
  const auto status = ParquetFile::Open(path)->Read(0, {"x"}).status();
  CHECK(absl::IsInvalidArgument(status));
  CHECK_THAT(status.ToString(),
             Catch::Contains("column `x`, row 2 of row group 1: "
                             "9223372036854775808 is more than"));
}

TEST_CASE("A footer that lies about its rows is found out", "[dataset]") {
  const testing::TempDir dir;
  const auto path = dir.path() / "a.parquet";
  WriteColumn<arrow::Int64Builder>(path, std::vector<int64_t>(5999, 3));
  // 6000 and 8191 as thrift writes them, in the row group's record alone.
  std::string bytes = *ReadFile(path);
  const std::string true_rows = {char(0xe0), char(0x5d)};
  const std::string more_rows = {char(0xfe), char(0x7f)};
  int changed = 0;
  uint32_t footer_bytes = 0;  // Before it and `PAR1` at the file's end.
  std::memcpy(&footer_bytes, &bytes[bytes.size() - 8], sizeof(footer_bytes));
  const size_t footer = bytes.size() - 8 - footer_bytes;
  for (size_t at = bytes.find(true_rows, footer); at != std::string::npos;
       at = bytes.find(true_rows, at + 1)) {
    std::string damaged = bytes;
    damaged.replace(at, 2, more_rows);
    REQUIRE(WriteFileAtomically(path, damaged).ok());
    const auto file = ParquetFile::Open(path);
    if (!file.ok() || file->rows_of(0) != 8191) continue;
    ++changed;
    CHECK(absl::IsDataLoss(file->Read(0, {"x"}).status()));
  }
  CHECK(changed == 1);
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
