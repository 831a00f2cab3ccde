// SPDX-License-Identifier: Apache-2.0
//
// Files of vectors as another encoder would make them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "common/dataset/parquet_writer.h"
#include "tests/testing/tiny_dataset.h"

namespace larr::testing {

struct NamedVector {
  std::string slot, text;
  std::vector<float> vector;
};

inline void WriteVectors(const std::filesystem::path& path,
                         const std::vector<NamedVector>& rows) {
  Cells cells;
  for (const auto& [slot, text, vector] : rows)
    cells.push_back({slot, text, vector});
  WriteParquet(path,
               {{"slot", ColumnType::kString},
                {"text", ColumnType::kString},
                {"vector", ColumnType::kNumberList}},
               cells);
}

}  // namespace larr::testing
