// SPDX-License-Identifier: Apache-2.0
//
// The files of a table: one Parquet file, a folder of them, or a folder of
// daily partitions `date=YYYY-MM-DD`.
#pragma once

#include <absl/status/statusor.h>

#include <filesystem>
#include <string>
#include <vector>

namespace larr {

// A Parquet file of a table, and the day of its `date=YYYY-MM-DD` folder.
struct DataFile {
  std::filesystem::path path;
  std::string date;  // Empty without daily partitions.
};

// The files of a table, by date and name. `path` is a file or a folder.
// Errors: kNotFound         nothing there, or no `.parquet` file below it
//         kInvalidArgument  a `date=` folder that is no date, or files both
//                           inside and outside of partitions
absl::StatusOr<std::vector<DataFile>> ListDataFiles(
    const std::filesystem::path& path);

}  // namespace larr
