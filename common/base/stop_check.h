// SPDX-License-Identifier: Apache-2.0
//
// How what takes long is told to stop: it asks between its steps.
#pragma once

#include <functional>

#include "absl/status/status.h"

namespace larr {

// True once the work is to be given up, from then on. Called on the thread that
// works, and often: it must be quick. May be empty: never.
using StopCheck = std::function<bool()>;

// kCancelled once it is to be given up.
inline absl::Status CheckStop(const StopCheck& stop) {
  if (!stop || !stop()) return absl::OkStatus();
  return absl::CancelledError("given up: it was told to stop");
}

}  // namespace larr
