// SPDX-License-Identifier: Apache-2.0
//
// The gaps of a Poisson process: what the traffic of many users who do not
// know of each other looks like.
//
// Threads:    belongs to one thread.
#pragma once

#include <chrono>
#include <cmath>
#include <cstdint>
#include <random>

namespace larr::load {

class PoissonArrivals {
 public:
  // The same seed gives the same gaps.
  explicit PoissonArrivals(uint64_t seed) : random_(seed) {}

  // Time to the next arrival, where `rate` are expected in a second.
  // REQUIRES: rate > 0
  std::chrono::nanoseconds NextGap(double rate) {
    const double uniform = std::generate_canonical<double, 53>(random_);
    return std::chrono::nanoseconds(
        std::llround(-std::log1p(-uniform) / rate * 1e9));
  }

 private:
  std::mt19937_64 random_;
};

}  // namespace larr::load
