// SPDX-License-Identifier: Apache-2.0
//
// A program of ours as a child process, for tests that start, stop and kill
// the real thing.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/base/files.h"

namespace larr::testing {

// Waits for `condition`; false if it does not come true in time.
inline bool Eventually(const std::function<bool()>& condition,
                       std::chrono::seconds limit = std::chrono::seconds(30)) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

// The kernel's letter for what a process does, e.g. T: stopped, Z: ended but
// not reaped; 0 if there is none.
inline char ProcessState(int pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string number, name;
  char state = 0;
  return (stat >> number >> name >> state) ? state : 0;
}

// Killed and reaped when the object goes.
class Program {
 public:
  // Output is appended to `log`.
  Program(std::vector<std::string> arguments, const std::string& log) {
    std::vector<char*> pointers;
    for (std::string& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 1, log.c_str(),
                                     O_WRONLY | O_CREAT | O_APPEND, 0644);
    posix_spawn_file_actions_adddup2(&files, 1, 2);
    if (posix_spawn(&pid_, pointers[0], &files, nullptr, pointers.data(),
                    environ) != 0) {
      throw std::runtime_error("cannot start " + arguments[0]);
    }
    posix_spawn_file_actions_destroy(&files);
  }
  ~Program() {
    if (!status_) Kill();
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  pid_t pid() const { return pid_; }

  // kill -9, and waits until it is gone.
  void Kill() {
    if (!status_) kill(pid_, SIGKILL);
    Wait();
  }
  // SIGTERM; the exit status, or -signal.
  int Terminate() {
    if (!status_) kill(pid_, SIGTERM);
    return Wait();
  }
  int Wait() {
    if (!status_) {
      int status = 0;
      waitpid(pid_, &status, 0);
      status_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }
    return *status_;
  }
  // True while it runs.
  bool Lives() {
    if (status_) return false;
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == 0) return true;
    status_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    return false;
  }

 private:
  pid_t pid_ = 0;
  std::optional<int> status_;
};

// Waits for a server's `port_file`; its first line, or "" if the program ended.
inline std::string WaitForAddress(Program& program,
                                  const std::filesystem::path& port_file) {
  std::string address;
  Eventually([&] {
    const auto text = ReadFile(port_file);
    if (text.ok()) address = text->substr(0, text->find('\n'));
    return !address.empty() || !program.Lives();
  });
  return address;
}

// Starts a server and sends SIGTERM before it knows its settings: `config`
// comes through a pipe in `dir` that ends after the signal. The exit status,
// or -signal.
inline int TerminateAtStart(const std::string& server,
                            const std::string& config,
                            const std::filesystem::path& dir) {
  const std::string pipe = dir / "config.pipe";
  mkfifo(pipe.c_str(), 0600);
  Program program({server, "--config", pipe}, dir / "early.log");
  int fd = -1;
  Eventually([&] {  // Refused until the server opened its end.
    fd = open(pipe.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    return fd >= 0 || !program.Lives();
  });
  if (fd < 0) return program.Lives() ? -1 : program.Wait();
  const bool written =
      write(fd, config.data(), config.size()) == std::ssize(config);
  kill(program.pid(), SIGTERM);
  close(fd);
  return written ? program.Wait() : -1;
}

}  // namespace larr::testing
