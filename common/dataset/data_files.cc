// SPDX-License-Identifier: Apache-2.0
#include "common/dataset/data_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "common/base/date.h"
#include "common/base/files.h"
#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"

namespace larr {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPartition = "date=";

absl::Status AddFolder(const fs::path& folder, const std::string& date,
                       std::vector<DataFile>& files) {
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    const fs::directory_entry& entry = *it;
    std::error_code gone;  // A link to nothing is no folder.
    const std::string name = entry.path().filename().string();
    if (name.starts_with(".") || name.starts_with("_")) continue;
    if (entry.is_directory(gone)) {
      std::string inner = date;
      if (name.starts_with(kPartition)) {
        inner = name.substr(kPartition.size());
        if (!IsDate(inner) || !date.empty()) {
          return Invalid(
              "{}: not a daily partition; name it date=YYYY-MM-DD, directly "
              "below the table's folder",
              entry.path().string());
        }
      }
      LARR_RETURN_IF_ERROR(AddFolder(entry.path(), inner, files));
    } else if (name.ends_with(".parquet")) {
      files.push_back({entry.path(), date});
    }
  }
  return error ? FileStatus("cannot list", folder, error) : absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<DataFile>> ListDataFiles(const fs::path& path) {
  std::error_code error;
  const auto status = fs::status(path, error);
  if (!fs::exists(status)) {
    return absl::NotFoundError(
        fmt::format("{}: no such file or folder; paths are relative to the "
                    "folder of the dataset spec",
                    path.string()));
  }
  std::vector<DataFile> files;
  if (!fs::is_directory(status)) {
    files.push_back({path, ""});
    return files;
  }
  LARR_RETURN_IF_ERROR(AddFolder(path, "", files));
  if (files.empty()) {
    return absl::NotFoundError(
        fmt::format("{}: has no .parquet file", path.string()));
  }
  std::sort(files.begin(), files.end(),
            [](const DataFile& a, const DataFile& b) {
              return std::tie(a.date, a.path) < std::tie(b.date, b.path);
            });
  if (files.front().date.empty() != files.back().date.empty()) {
    return Invalid(
        "{}: this file is outside of the date=YYYY-MM-DD folders beside it; "
        "move it into one",
        files.front().path.string());
  }
  return files;
}

}  // namespace larr
