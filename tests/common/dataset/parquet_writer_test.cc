// SPDX-License-Identifier: Apache-2.0
//
// That what it wrote can be read is tested in parquet_reader_test.cc.
#include "common/dataset/parquet_writer.h"

#include <catch2/catch.hpp>

#include "common/base/files.h"
#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_dataset.h"

namespace larr {
namespace {

using Cell = ParquetWriter::Cell;

const std::vector<ParquetWriter::Column> kColumns = {
    {"i", ColumnType::kInteger},
    {"d", ColumnType::kNumber},
    {"s", ColumnType::kString},
    {"l", ColumnType::kStringList}};

testing::Cells Rows() {
  return {{int64_t{1}, 0.5, std::string("a"),
           std::vector<std::string>{"x", "", "y"}},
          {Cell(), Cell(), Cell(), Cell()},
          {int64_t{-3}, int64_t{2}, std::string(), std::vector<std::string>{}}};
}

TEST_CASE("Equal rows give equal bytes", "[dataset]") {
  const testing::TempDir dir;
  testing::WriteParquet(dir.path() / "a", kColumns, Rows());
  testing::WriteParquet(dir.path() / "b", kColumns, Rows());
  CHECK(*Sha256File(dir.path() / "a") == *Sha256File(dir.path() / "b"));
}

TEST_CASE("A cell of another type is refused", "[dataset]") {
  const testing::TempDir dir;
  auto writer = ParquetWriter::Create(dir.path() / "a", kColumns);
  REQUIRE(writer.ok());
  CHECK_THAT(
      writer->Append({std::string("one"), Cell(), Cell(), Cell()}).ToString(),
      Catch::Contains("column `i`"));
}

}  // namespace
}  // namespace larr
