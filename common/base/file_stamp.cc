// SPDX-License-Identifier: Apache-2.0
#include "common/base/file_stamp.h"

#include <fmt/format.h>

#include <system_error>

#include "common/base/files.h"

namespace larr {

namespace fs = std::filesystem;

std::string FileStamp(const fs::path& path) {
  std::error_code error;
  const auto bytes = fs::file_size(path, error);
  if (error) return fmt::format("{} is not there\n", path.string());
  const auto time = fs::last_write_time(path, error);
  return fmt::format("{} {} {}\n", path.string(), bytes,
                     time.time_since_epoch().count());
}

std::string FolderStamp(const fs::path& folder) {
  std::string stamps;
  const auto entries = ListFolder(folder);
  if (!entries.ok()) return stamps;
  for (const fs::path& entry : *entries) {
    std::error_code error;
    if (fs::is_regular_file(entry, error)) stamps += FileStamp(entry);
  }
  return stamps;
}

}  // namespace larr
