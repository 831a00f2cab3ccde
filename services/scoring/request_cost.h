// SPDX-License-Identifier: Apache-2.0
//
// What a request will cost, told by its size before it is read: a + b * bytes
// seconds. Both are learned from what requests took, the newest counting most.
// The first ones may find everything cold: they are forgotten when one takes
// less than half of what they did.
//
// Units:   seconds on one thread.
// Threads: none of its own; the caller locks.
#pragma once

#include <cstddef>

namespace larr {

class RequestCost {
 public:
  // A request of `bytes` took so long.
  void Learn(size_t bytes, double seconds);

  // Of so many requests that have so many bytes together. Never negative; 0
  // before anything was learned.
  double Seconds(size_t requests, size_t bytes) const;

  // Of the requests of late, on average.
  double typical() const { return mean_seconds_; }

 private:
  // Weighted moments of the past, from which a and b follow by least squares.
  double weight_ = 0;
  double mean_bytes_ = 0, mean_seconds_ = 0;
  double variance_ = 0, covariance_ = 0;  // of bytes, of bytes and seconds
};

}  // namespace larr
