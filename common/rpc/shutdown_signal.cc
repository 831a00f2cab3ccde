// SPDX-License-Identifier: Apache-2.0
#include "common/rpc/shutdown_signal.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <mutex>

namespace larr {
namespace {

int pipe_ends[2] = {-1, -1};  // A byte for each signal that came.
std::atomic<bool> came = false;
static_assert(std::atomic<bool>::is_always_lock_free);  // For the handler.

void OnSignal(int number) {
  const int error = errno;
  signal(number, SIG_DFL);
  came = true;
  [[maybe_unused]] const ssize_t written = write(pipe_ends[1], "x", 1);
  errno = error;
}

}  // namespace

void CatchShutdownSignals() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (pipe2(pipe_ends, O_CLOEXEC) != 0) std::abort();
  });
  struct sigaction action = {};
  action.sa_handler = OnSignal;
  action.sa_flags = SA_RESTART;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
}

void WaitForShutdownSignal() {
  char byte;
  while (read(pipe_ends[0], &byte, 1) != 1) {
    if (errno != EINTR) std::abort();
  }
}

void RequestShutdown() {
  came = true;
  if (write(pipe_ends[1], "x", 1) != 1) std::abort();
}

bool ShutdownSignalCame() { return came; }

}  // namespace larr
