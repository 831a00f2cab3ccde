// SPDX-License-Identifier: Apache-2.0
#include "tools/programs/interrupts.h"

#include <signal.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "tests/testing/temp_dir.h"
#include "tools/programs/child_process.h"

namespace larr::programs {
namespace {

TEST_CASE("An interrupt stops a wait", "[programs]") {
  const testing::TempDir dir;
  CatchInterrupts();
  std::jthread later([] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    raise(SIGINT);
  });
  const absl::Status status =
      RunProgram({.words = {"/bin/sleep", "100"}, .log = dir.path() / "log"});
  CHECK(absl::IsCancelled(status));
  CHECK(Interrupted());
  ForgetInterrupt();
  CHECK(CheckInterrupt().ok());
}

}  // namespace
}  // namespace larr::programs
