// SPDX-License-Identifier: Apache-2.0
//
// When what failed is tried again: at once, then after waits that double, up to
// a minute.
//
// Threads: one.
#pragma once

#include <algorithm>
#include <chrono>

namespace larr {

class RetryWait {
 public:
  bool IsOver() const { return Clock::now() >= next_try_; }
  void Failed() {
    next_try_ = Clock::now() + wait_;
    wait_ = std::min<Clock::duration>(2 * wait_, std::chrono::minutes(1));
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::duration wait_ = std::chrono::milliseconds(200);
  Clock::time_point next_try_;
};

}  // namespace larr
