// SPDX-License-Identifier: Apache-2.0
//
// That what it wrote can be read is tested in parquet_reader_test.cc.
#include "common/dataset/parquet_writer.h"

#include <catch2/catch.hpp>

#include "common/base/files.h"
#include "tests/testing/every_type.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

TEST_CASE("Equal rows give equal bytes", "[dataset]") {
  const testing::TempDir dir;
  testing::WriteEveryType(dir.path() / "a");
  testing::WriteEveryType(dir.path() / "b");
  CHECK(*Sha256File(dir.path() / "a") == *Sha256File(dir.path() / "b"));
}

TEST_CASE("A cell of another type is refused", "[dataset]") {
  const testing::TempDir dir;
  auto writer =
      ParquetWriter::Create(dir.path() / "a", testing::EveryTypeColumns());
  REQUIRE(writer.ok());
  CHECK_THAT(writer->Append({std::string("one"), {}, {}, {}, {}}).ToString(),
             Catch::Contains("column `i`"));
}

}  // namespace
}  // namespace larr
