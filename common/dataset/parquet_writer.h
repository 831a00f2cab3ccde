// SPDX-License-Identifier: Apache-2.0
//
// Writes rows into one Parquet file. Equal rows give equal bytes.
//
// Threads: one at a time.
// Errors:  kInvalidArgument   a value is not of its column's type
//          kUnavailable       the disk refused; the file is of no use
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "common/dataset/parquet_reader.h"

namespace larr {

class ParquetWriter {
 public:
  struct Column {
    std::string name;
    ColumnType type;  // Integers are int64, numbers float64, and
                      // those of a list float32.
  };
  // A value of a row; `std::monostate` is null.
  using Cell = std::variant<std::monostate, int64_t, double, std::string,
                            std::vector<std::string>, std::vector<float>>;

  static absl::StatusOr<ParquetWriter> Create(
      const std::filesystem::path& path, const std::vector<Column>& columns);
  ParquetWriter(ParquetWriter&&) noexcept;
  ParquetWriter& operator=(ParquetWriter&&) noexcept;
  ~ParquetWriter();

  // One cell for each column. An integer fits a number column.
  absl::Status Append(const std::vector<Cell>& row);

  // Ends the file. Nothing is readable before.
  absl::Status Finish();

 private:
  struct Impl;
  explicit ParquetWriter(std::unique_ptr<Impl> impl);
  absl::Status Flush();
  std::unique_ptr<Impl> impl_;
};

}  // namespace larr
