// SPDX-License-Identifier: Apache-2.0
//
// Counts of latencies in buckets as wide as a 1024th of their values, or one
// nanosecond (log-linear, as in HdrHistogram): 3 significant digits of
// everything from a nanosecond to hours, in some 250 kB at most.
//
// Units:      nanoseconds.
// Threads:    belongs to one thread, or to one lock.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

namespace larr::load {

class LatencyHistogram {
 public:
  using Duration = std::chrono::nanoseconds;

  // A negative latency counts as 0.
  void Record(Duration latency);

  int64_t count() const { return count_; }
  // Exact; 0 if nothing was recorded.
  Duration max() const { return max_; }

  // The ceil(q * count())-th smallest latency, or up to 0.1 % more, never
  // above max(); 0 if nothing was recorded. REQUIRES: 0 <= q <= 1
  Duration Quantile(double q) const;

 private:
  std::vector<int64_t> counts_;  // As long as the largest latency needs.
  int64_t count_ = 0;
  Duration max_{0};
};

inline double Milliseconds(LatencyHistogram::Duration latency) {
  return std::chrono::duration<double, std::milli>(latency).count();
}

}  // namespace larr::load
