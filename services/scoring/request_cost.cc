// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/request_cost.h"

#include <algorithm>

namespace larr {
namespace {

constexpr double kMemory = 64;  // Requests that count.
constexpr double kFirst = 16;   // Of which so many may be cold.
// Sizes that differ by less (relative, squared) do not tell a from b.
constexpr double kLeastSpread = 1e-3;

}  // namespace

void RequestCost::Learn(size_t bytes, double seconds) {
  if (weight_ < kFirst && seconds < 0.5 * Seconds(1, bytes)) *this = {};
  weight_ = std::min(weight_ + 1, kMemory);
  const double rate = 1 / weight_;
  const double off_bytes = static_cast<double>(bytes) - mean_bytes_;
  const double off_seconds = seconds - mean_seconds_;
  mean_bytes_ += rate * off_bytes;
  mean_seconds_ += rate * off_seconds;
  variance_ = (1 - rate) * (variance_ + rate * off_bytes * off_bytes);
  covariance_ = (1 - rate) * (covariance_ + rate * off_bytes * off_seconds);
}

double RequestCost::Seconds(size_t requests, size_t bytes) const {
  if (mean_bytes_ <= 0) return static_cast<double>(requests) * mean_seconds_;
  const double proportional = mean_seconds_ / mean_bytes_;  // as if a were 0
  const bool is_spread = variance_ > kLeastSpread * mean_bytes_ * mean_bytes_;
  const double b = is_spread
                       ? std::clamp(covariance_ / variance_, 0.0, proportional)
                       : proportional;
  const double a = mean_seconds_ - b * mean_bytes_;
  return static_cast<double>(requests) * a + static_cast<double>(bytes) * b;
}

}  // namespace larr
