// SPDX-License-Identifier: Apache-2.0
//
// A picture of differences with their intervals, a line for each, as SVG: what
// a README can show. It follows the reader's light or dark mode.
//
// Threads:  pure functions.
#pragma once

#include <string>
#include <vector>

namespace larr::report {

struct IntervalRow {
  enum class Tone { kGood, kBad, kNone };
  std::string label;
  double value = 0;
  double low = 0, high = 0;
  Tone tone = Tone::kNone;
};

// `x_title` stands below the axis. Zero is always on it.
std::string IntervalFigure(const std::string& title, const std::string& x_title,
                           const std::vector<IntervalRow>& rows);

}  // namespace larr::report
