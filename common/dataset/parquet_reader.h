// SPDX-License-Identifier: Apache-2.0
//
// Parquet files, one row group at a time, as columns. Arrow stays behind this
// border: its status codes, its types and its headers.
//
// Ownership: a RowGroup keeps its memory; views and string_views point into it.
// Threads:   const methods of views are safe; a ParquetFile is used by one at a
//            time.
// Errors:    kNotFound, kPermissionDenied  the file cannot be opened
//            kDataLoss                     it is not Parquet, or broken
//            kInvalidArgument              no such column, or of another type,
//                                          or an integer beyond int64
//            Messages name the file.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/features/row.h"

namespace larr {

// What a column's values are to us.
enum class ColumnType {
  kInteger,  // Any width; booleans are 0 and 1.
  kNumber,   // float, double
  kString,   // Plain or dictionary.
  kStringList,
  kNumberList,  // Of float or double.
  kUnsupported,
};

struct ColumnInfo {
  std::string name;
  ColumnType type;
  std::string type_name;  // Arrow's, for messages.
};

// One column of a row group. Cheap to copy.
class ColumnView {
 public:
  ColumnType type() const { return type_; }
  bool IsNull(int64_t row) const;
  // Overwrites `out`, reusing its memory. REQUIRES: type is not a list.
  void Read(int64_t row, Value& out) const;
  // REQUIRES: type() == kString and not null.
  std::string_view String(int64_t row) const;
  // REQUIRES: type() == kInteger or kNumber, and not null. Of a float32 the
  // number that its shortest decimal is, as people write it: 4.7, not
  // 4.69999981.
  double Number(int64_t row) const;
  int64_t Integer(int64_t row) const;
  // REQUIRES: type() == kStringList. A null list is empty, a null element "".
  void ReadList(int64_t row, std::vector<std::string>& out) const;
  // REQUIRES: type() == kNumberList. A null list is empty, a null element NaN.
  void ReadList(int64_t row, std::vector<float>& out) const;

 private:
  friend class ColumnViewBuilder;
  enum class Physical {
    kBool,
    kInt8,
    kInt16,
    kInt32,
    kInt64,
    kUint8,
    kUint16,
    kUint32,
    kUint64,
    kFloat,
    kDouble,
    kString,
    kLargeString,
    kDictionary,
    kList,
  };

  int64_t IntegerOf(Physical physical, int64_t row) const;
  float Float(int64_t row) const;  // REQUIRES: kFloat or kDouble

  ColumnType type_ = ColumnType::kUnsupported;
  Physical physical_ = Physical::kInt64;
  Physical index_ = Physical::kInt64;  // Of a dictionary's indices.
  const uint8_t* valid_ = nullptr;     // Bitmap; null pointer: all valid.
  int64_t offset_ = 0;                 // Of row 0 in bitmaps and values.
  const void* values_ = nullptr;
  const void* offsets_ = nullptr;            // Strings and lists.
  std::shared_ptr<const ColumnView> child_;  // Of dictionaries and lists.
};

class RowGroup {
 public:
  int64_t rows() const { return rows_; }
  // In the order in which they were asked for.
  const ColumnView& column(int i) const { return columns_[i]; }

 private:
  friend class ParquetFile;
  int64_t rows_ = 0;
  std::vector<ColumnView> columns_;
  std::shared_ptr<const void> memory_;  // Shared by copies of the group.
};

class ParquetFile {
 public:
  static absl::StatusOr<ParquetFile> Open(const std::filesystem::path& path);
  ParquetFile(ParquetFile&&) noexcept;
  ParquetFile& operator=(ParquetFile&&) noexcept;
  ~ParquetFile();

  const std::vector<ColumnInfo>& columns() const;
  // A null pointer if there is no such column.
  const ColumnInfo* Find(std::string_view name) const;
  int row_groups() const;
  int64_t rows_of(int group) const;
  int64_t rows() const;

  // Reads the named columns of one row group.
  absl::StatusOr<RowGroup> Read(int group,
                                const std::vector<std::string>& names) const;

  // Calls `body` for each row of the named columns, until it fails: with the
  // row's group, its place in it, and its number in the file, which counts from
  // 1, as messages do.
  template <typename Body>  // absl::Status(const RowGroup&, int64_t, int64_t)
  absl::Status ForEachRow(const std::vector<std::string>& names,
                          Body body) const {
    int64_t number = 0;
    for (int g = 0; g < row_groups(); ++g) {
      const absl::StatusOr<RowGroup> group = Read(g, names);
      if (!group.ok()) return group.status();
      for (int64_t i = 0; i < group->rows(); ++i) {
        const absl::Status status = body(*group, i, ++number);
        if (!status.ok()) return status;
      }
    }
    return absl::OkStatus();
  }

 private:
  struct Impl;
  explicit ParquetFile(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace larr
