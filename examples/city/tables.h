// SPDX-License-Identifier: Apache-2.0
//
// Tables of named columns, and Parquet files of them. The same columns in the
// same order give the same bytes.
//
// Threads:    a writer belongs to one thread; encoding is safe.
// Errors:     kResourceExhausted or kUnavailable if the file cannot be
//             written; the message names it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace arrow {
class RecordBatch;
}

namespace larr::city {

using Integers = std::vector<int64_t>;
using Numbers = std::vector<double>;
using Strings = std::vector<std::optional<std::string>>;  // Empty: null.

struct Column {
  std::string name;
  std::variant<Integers, Numbers, Strings> values;
};
using Columns = std::vector<Column>;
using EncodedColumns = std::shared_ptr<arrow::RecordBatch>;

// REQUIRES: all columns have the same length.
absl::StatusOr<EncodedColumns> Encode(const Columns& columns);

// One Parquet file; each Write() is a row group. The folder must exist.
class TableWriter {
 public:
  static absl::StatusOr<TableWriter> Create(const std::filesystem::path& path);
  TableWriter(TableWriter&&) noexcept;
  ~TableWriter();

  // The first call settles the names and types of the columns.
  absl::Status Write(const EncodedColumns& columns);
  // Writes the footer and flushes to the disk. A file without any Write() is
  // an error.
  absl::Status Close();

 private:
  struct File;
  explicit TableWriter(std::unique_ptr<File> file);
  std::unique_ptr<File> file_;
};

// Writes `columns` as the one file `<folder>/date=<date>/part-0.parquet`.
absl::Status WritePartition(const std::filesystem::path& folder,
                            const std::string& date, const Columns& columns);

// `<folder>/date=<date>/part-0.parquet`; makes the folders.
absl::StatusOr<std::filesystem::path> PartitionFile(
    const std::filesystem::path& folder, const std::string& date);

}  // namespace larr::city
