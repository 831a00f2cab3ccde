// SPDX-License-Identifier: Apache-2.0
//
// Intervals of the effects of an online test by the bootstrap over users:
// each replicate draws as many users of each arm as it has, with replacement,
// and compares their sums. 95 % intervals by percentiles.
//
// Threads:    safe; all functions are pure.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tools/market/measures.h"

namespace larr::market {

inline constexpr int kReplicates = 1000;

// One metric of two groups. NaN where it cannot be said.
struct Estimate {
  double control = 0;
  double treatment = 0;
  double effect = 0;  // See Metric::relative.
  double low = 0;     // Of the interval.
  double high = 0;

  bool excludes_zero() const { return low > 0 || high < 0; }
};

// Users of two arms; one estimate for each metric.
std::vector<Estimate> Compare(std::span<const Metric> metrics,
                              std::span<const Sums> control,
                              std::span<const Sums> treatment, uint64_t seed,
                              int replicates = kReplicates);

// The same users twice, under either arm. REQUIRES: as many in both.
std::vector<Estimate> ComparePaired(std::span<const Metric> metrics,
                                    std::span<const Sums> control,
                                    std::span<const Sums> treatment,
                                    uint64_t seed);

}  // namespace larr::market
