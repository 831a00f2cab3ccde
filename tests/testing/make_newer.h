// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <filesystem>

namespace larr::testing {

// Moves a file's time on by a second: whoever looks at times sees a change.
inline void MakeNewer(const std::filesystem::path& file) {
  std::filesystem::last_write_time(
      file, std::filesystem::last_write_time(file) + std::chrono::seconds(1));
}

}  // namespace larr::testing
