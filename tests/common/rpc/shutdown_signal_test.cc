// SPDX-License-Identifier: Apache-2.0
#include "common/rpc/shutdown_signal.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <functional>

namespace larr {
namespace {

constexpr int kDone = 42;

// The exit status of a process that does `work`, or -signal.
int EndOf(const std::function<void()>& work) {
  const pid_t child = fork();
  if (child == 0) {
    work();
    _exit(kDone);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

TEST_CASE("A signal is kept for the one who waits for it", "[rpc]") {
  for (const int number : {SIGTERM, SIGINT}) {
    CAPTURE(number);
    CHECK(EndOf([&] {
            CatchShutdownSignals();
            raise(number);
            WaitForShutdownSignal();
          }) == kDone);
  }
}

TEST_CASE("Whoever works meanwhile can ask whether a signal came", "[rpc]") {
  CHECK(EndOf([] {
          CatchShutdownSignals();
          if (ShutdownSignalCame()) return _exit(1);
          raise(SIGINT);
          if (!ShutdownSignalCame()) return _exit(2);
          WaitForShutdownSignal();
        }) == kDone);
}

TEST_CASE("A server that cannot go on stops as by a signal", "[rpc]") {
  CHECK(EndOf([] {
          CatchShutdownSignals();
          RequestShutdown();
          if (!ShutdownSignalCame()) return _exit(1);
          WaitForShutdownSignal();
        }) == kDone);
}

TEST_CASE("A second signal of the kind ends the process", "[rpc]") {
  CHECK(EndOf([] {
          CatchShutdownSignals();
          raise(SIGTERM);
          WaitForShutdownSignal();
          raise(SIGTERM);
        }) == -SIGTERM);
}

}  // namespace
}  // namespace larr
