// SPDX-License-Identifier: Apache-2.0
//
// A table with a column of each type, for tests of Parquet files: values, nulls
// and what is empty or zero.
#pragma once

#include <string>
#include <vector>

#include "common/dataset/parquet_writer.h"
#include "tests/testing/tiny_dataset.h"

namespace larr::testing {

inline const std::vector<ParquetWriter::Column>& EveryTypeColumns() {
  static const std::vector<ParquetWriter::Column> columns = {
      {"i", ColumnType::kInteger},
      {"d", ColumnType::kNumber},
      {"s", ColumnType::kString},
      {"l", ColumnType::kStringList},
      {"f", ColumnType::kNumberList}};
  return columns;
}

inline Cells EveryTypeRows() {
  using Cell = ParquetWriter::Cell;
  return {
      {int64_t{1}, 0.5, std::string("a"),
       std::vector<std::string>{"x", "", "y"}, std::vector<float>{0.5f, -2}},
      {Cell(), Cell(), Cell(), Cell(), Cell()},
      {int64_t{-3}, int64_t{2}, std::string(), std::vector<std::string>{},
       std::vector<float>{}}};
}

inline void WriteEveryType(const std::filesystem::path& path) {
  WriteParquet(path, EveryTypeColumns(), EveryTypeRows());
}

}  // namespace larr::testing
