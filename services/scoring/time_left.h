// SPDX-License-Identifier: Apache-2.0
//
// Until a caller's deadline: nothing if it has none, an hour if it is farther
// than that. Some callers' lies in centuries, which no time_point of
// nanoseconds holds.
//
// Threads: pure function.
#pragma once

#include <grpc/support/time.h>

#include <algorithm>
#include <chrono>
#include <optional>

namespace larr {

inline constexpr std::chrono::hours kLongestLeft(1);

inline std::optional<std::chrono::steady_clock::duration> TimeLeft(
    const gpr_timespec& deadline) {
  if (gpr_time_cmp(deadline, gpr_inf_future(deadline.clock_type)) == 0)
    return std::nullopt;
  const gpr_timespec left =
      gpr_time_sub(deadline, gpr_now(deadline.clock_type));
  const std::chrono::seconds seconds(left.tv_sec), longest(kLongestLeft);
  if (seconds >= longest) return longest;
  return std::max(seconds, -longest) + std::chrono::nanoseconds(left.tv_nsec);
}

}  // namespace larr
