// SPDX-License-Identifier: Apache-2.0
//
// Ctrl-C for a program that has something to put in order before it ends.
//
// Threads:  safe.
#pragma once

#include "absl/status/status.h"

namespace larr::programs {

// From now on SIGINT and SIGTERM set Interrupted() instead of ending us.
void CatchInterrupts();
bool Interrupted();
// For tests.
void ForgetInterrupt();
// OK, or kCancelled after an interrupt.
absl::Status CheckInterrupt();

}  // namespace larr::programs
