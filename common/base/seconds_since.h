// SPDX-License-Identifier: Apache-2.0
//
// Threads:    safe.
#pragma once

#include <chrono>

namespace larr {

// Seconds that have passed, for rates and metrics.
inline double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
      .count();
}

}  // namespace larr
