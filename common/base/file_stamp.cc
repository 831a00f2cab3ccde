// SPDX-License-Identifier: Apache-2.0
#include "common/base/file_stamp.h"

#include <fmt/format.h>

#include <set>
#include <system_error>

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
  std::error_code error;
  std::set<fs::path> files;
  for (fs::directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    if (it->is_regular_file(error)) files.insert(it->path());
  }
  std::string stamps;
  for (const fs::path& file : files) stamps += FileStamp(file);
  return stamps;
}

}  // namespace larr
