// SPDX-License-Identifier: Apache-2.0
#include "tools/load/rate_search.h"

#include <fmt/format.h>

#include <cmath>

namespace larr::load {
namespace {

constexpr double kLeast = 1, kStart = 50, kMost = 1e6;  // calls a second
constexpr double kResolution = 1.03;  // bisection ends below this ratio
constexpr int kConfirmations = 3;
constexpr int kMostLowered = 10;

}  // namespace

absl::StatusOr<double> FindRate(
    const std::function<bool(double rate, bool confirming)>& holds) {
  const auto holds_in_two = [&holds](double rate, bool confirming = false) {
    return holds(rate, confirming) || holds(rate, confirming);
  };
  double low = kStart, high = kStart;
  if (holds_in_two(low)) {
    do {
      low = high;
      high *= 2;
      if (high > kMost) {
        return absl::FailedPreconditionError(fmt::format(
            "{:.0f} calls/s are still within the bound: set a tighter one by "
            "--p99, or send larger requests",
            low));
      }
    } while (holds_in_two(high));
  } else {
    do {
      high = low;
      low /= 2;
      if (low < kLeast) {
        return absl::FailedPreconditionError(
            "not even 1 call/s is within the bound: see the codes and "
            "latencies "
            "above, and set a wider one by --p99");
      }
    } while (!holds_in_two(low));
  }
  while (high / low > kResolution) {
    const double middle = std::sqrt(low * high);
    (holds_in_two(middle) ? low : high) = middle;
  }
  for (int i = 0; i < kMostLowered; ++i, low /= kResolution) {
    int held = 0;
    while (held < kConfirmations && holds_in_two(low, true)) ++held;
    if (held == kConfirmations) return low;
  }
  return absl::FailedPreconditionError(fmt::format(
      "no rate near {:.0f} calls/s is within the bound {} times in a row: the "
      "machine or the server is not steady; end other work, or try longer "
      "(--seconds)",
      low, kConfirmations));
}

}  // namespace larr::load
