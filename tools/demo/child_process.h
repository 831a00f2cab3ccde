// SPDX-License-Identifier: Apache-2.0
//
// Programs that the demo starts. None outlives it: a child gets SIGTERM when
// its ChildProcess goes away, and from the system if the demo is killed.
//
// Threads:    start children from the main thread; one thread per child.
// Errors:     kUnavailable  a program cannot be started or did not start up
//             kAborted      a program failed; the message names its log
//             kFailedPrecondition  a server of another demo does not end
//             kCancelled    SIGINT or SIGTERM came
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace larr::demo {

// From now on SIGINT and SIGTERM set Interrupted() instead of ending us.
void CatchInterrupts();
bool Interrupted();
// For tests.
void ForgetInterrupt();
// OK, or kCancelled after an interrupt.
absl::Status CheckInterrupt();

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

// One of our servers, with the addresses that it bound.
class Server {
 public:
  // Starts `program --config config` and waits for its port file. One that an
  // earlier demo started on the same file is waited for first: it may be about
  // to end.
  static absl::StatusOr<Server> Start(const std::filesystem::path& program,
                                      const std::filesystem::path& config,
                                      const std::filesystem::path& port_file,
                                      const std::filesystem::path& log);

  const std::string& address() const { return address_; }
  const std::string& admin_address() const { return admin_address_; }
  // Why it is gone, or OK.
  absl::Status Check();

 private:
  explicit Server(ChildProcess process) : process_(std::move(process)) {}
  absl::StatusOr<bool> ReadPortFile(const std::filesystem::path& path);

  ChildProcess process_;
  std::string address_;
  std::string admin_address_;
};

}  // namespace larr::demo
