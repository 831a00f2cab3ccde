// SPDX-License-Identifier: Apache-2.0
#include "tools/programs/interrupts.h"

#include <signal.h>

namespace larr::programs {
namespace {

volatile sig_atomic_t interrupted = 0;

}  // namespace

void CatchInterrupts() {
  struct sigaction action = {};
  action.sa_handler = [](int) { interrupted = 1; };
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool Interrupted() { return interrupted != 0; }

void ForgetInterrupt() { interrupted = 0; }

absl::Status CheckInterrupt() {
  if (!Interrupted()) return absl::OkStatus();
  return absl::CancelledError("interrupted");
}

}  // namespace larr::programs
