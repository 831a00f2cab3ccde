// SPDX-License-Identifier: Apache-2.0
//
// A folder that lives as long as the object, for tests that write files.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <string>

namespace larr::testing {

class TempDir {
 public:
  TempDir() {
    std::string name =
        (std::filesystem::temp_directory_path() / "larr-test-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace larr::testing
