// SPDX-License-Identifier: Apache-2.0
#include "tools/demo/preflight.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

#include "common/base/files.h"
#include "common/base/status_macros.h"

namespace larr::demo {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMib = 1 << 20;

// The artifacts and checkpoints of a size, and the largest programs that run at
// once, with something to spare.
Room NeededFor(const std::string& size) {
  if (size == "tiny") return {.disk = 100 * kMib, .memory = 1024 * kMib};
  return {.disk = 3072 * kMib, .memory = 4608 * kMib};
}

// Of the container that this is in; the largest number if there is none.
int64_t MemoryLimit() {
  std::ifstream in("/sys/fs/cgroup/memory.max");
  int64_t limit = 0;
  return in >> limit ? limit : std::numeric_limits<int64_t>::max();
}

absl::StatusOr<int64_t> FreeMemory() {
  std::ifstream in("/proc/meminfo");
  for (std::string word; in >> word;) {
    int64_t kib = 0;
    if (word != "MemAvailable:" || !(in >> kib)) continue;
    return std::min(kib * 1024, MemoryLimit());
  }
  return absl::UnavailableError("/proc/meminfo has no line `MemAvailable`");
}

std::string Gib(int64_t bytes) {
  return fmt::format("{:.1f} GiB", static_cast<double>(bytes) / (1 << 30));
}

}  // namespace

absl::StatusOr<Room> FreeRoom(const fs::path& folder) {
  std::error_code error;
  const fs::space_info space = fs::space(folder, error);
  if (error) return FileStatus("cannot see what is free at", folder, error);
  const auto memory = FreeMemory();
  if (!memory.ok()) return memory.status();
  return Room{.disk = static_cast<int64_t>(space.available), .memory = *memory};
}

absl::Status CheckRoom(const Room& needed, const Room& free,
                       const fs::path& folder) {
  std::string missing;
  if (free.disk < needed.disk) {
    missing += fmt::format("\n  - disk: {} are needed, {} are free at {}",
                           Gib(needed.disk), Gib(free.disk), folder.string());
  }
  if (free.memory < needed.memory) {
    missing += fmt::format("\n  - memory: {} are needed, {} are free",
                           Gib(needed.memory), Gib(free.memory));
  }
  if (missing.empty()) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      "the demo needs more than this machine has free:" + missing);
}

absl::Status CheckMachine(const Demo& demo) {
  const fs::path folder = demo.path("");
  if (fs::exists(demo.path("report.json"))) return absl::OkStatus();
  LARR_ASSIGN_OR_RETURN(const Room free, FreeRoom(folder));
  Room needed = NeededFor(demo.size());
  needed.disk -= SizeOf(folder);
  return CheckRoom(needed, free, folder);
}

int64_t SizeOf(const fs::path& folder) {
  int64_t size = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, error), end; it != end;
       it.increment(error)) {
    if (error) break;
    std::error_code ignored;
    if (it->is_regular_file(ignored)) {
      size += static_cast<int64_t>(it->file_size(ignored));
    }
  }
  return size;
}

}  // namespace larr::demo
