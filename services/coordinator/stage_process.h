// SPDX-License-Identifier: Apache-2.0
//
// The system calls behind LocalExecutor: a child that holds a lock for as long
// as it lives, and what can be known of a process by its lock alone.
//
// Threads:  safe, but for two calls about one process file.
// Errors:   those of common/base/files.h.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace larr {

// The content of a process file: three numbers in one line.
struct ProcessRecord {
  int32_t attempt = 0;     // Which start of the stage.
  pid_t pid = 0;           // Process, and its group.
  int64_t log_offset = 0;  // Size of the log when it started.
};

struct ChildOptions {
  std::vector<std::string> arguments;    // The program first.
  std::vector<std::string> environment;  // NAME=value, added or replaced.
  std::filesystem::path log;             // Receives stdout and stderr.
  int32_t attempt = 0;
};

// A process file, opened.
class ProcessLock {
 public:
  // Makes the file if need be. Takes no lock.
  static absl::StatusOr<ProcessLock> Open(const std::filesystem::path& path);
  ProcessLock(ProcessLock&& other) noexcept;
  ProcessLock& operator=(ProcessLock&&) = delete;
  ~ProcessLock();  // Lets go of the lock, unless a child holds it.

  // Takes the lock; false if a process holds it.
  absl::StatusOr<bool> TryLock() const;

  // Zeros if nothing, or only part of a record, was written yet.
  ProcessRecord Read() const;

  // Starts a child that inherits the lock and writes its record before it
  // becomes the program. If the program cannot be run, the child says so in
  // the log as the line `error: ...`, and exits with 127.
  // REQUIRES: TryLock() returned true
  absl::StatusOr<ProcessRecord> Spawn(const ChildOptions& options) const;

 private:
  ProcessLock(int fd, std::filesystem::path path)
      : fd_(fd), path_(std::move(path)) {}
  int fd_;
  std::filesystem::path path_;
};

// How a child ended.
struct ChildExit {
  int status = 0;  // Exit status, if it was not
  int signal = 0;  // killed by a signal.
};

// Empty while the child lives. What is left of its process group is killed.
std::optional<ChildExit> ReapChild(pid_t pid);

// The last line with text in a log from `offset` on; empty if there is none.
std::string LastLogLine(const std::filesystem::path& log, int64_t offset);

}  // namespace larr
