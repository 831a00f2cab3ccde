// SPDX-License-Identifier: Apache-2.0
//
// Programs that one of ours starts. None outlives it: a child gets SIGTERM when
// its ChildProcess goes away, and from the system if its parent is killed. What
// they start does as they say: the stages of a coordinator go on.
//
// Threads:    start children from the main thread; one thread per child.
// Errors:     kAborted      a program failed; the message names its log
//             kCancelled    SIGINT or SIGTERM came (interrupts.h)
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace larr::programs {

// The path of another program of ours: they lie beside this one. A whole path
// stays what it is.
std::filesystem::path ProgramBeside(const std::string& name);

// The last lines of a log, each on a new line, for messages.
std::string LogTail(const std::filesystem::path& log);

struct Command {
  std::vector<std::string> words;  // The program's path, then its arguments.
  std::filesystem::path log;       // Gets stderr, and stdout unless `output`.
  std::filesystem::path output;    // Gets stdout, from its beginning.
};

class ChildProcess {
 public:
  static absl::StatusOr<ChildProcess> Start(const Command& command);
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;
  ~ChildProcess() { Stop(); }

  bool IsRunning();
  // How it ended, with the end of its log. REQUIRES: !IsRunning()
  absl::Status Ending() const;
  // Waits until it ends; until then, or an interrupt, calls `meanwhile` again
  // and again.
  absl::Status Wait(const std::function<void()>& meanwhile = {});
  // SIGTERM, and SIGKILL after 20 s.
  void Stop();

 private:
  ChildProcess(pid_t pid, Command command)
      : pid_(pid), command_(std::move(command)) {}

  pid_t pid_ = 0;  // 0: reaped or moved away.
  Command command_;
  int wait_status_ = 0;
};

// Runs a program to its end, or an interrupt.
absl::Status RunProgram(const Command& command,
                        const std::function<void()>& meanwhile = {});

}  // namespace larr::programs
