// SPDX-License-Identifier: Apache-2.0
#include "tools/report/numbers.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>

namespace larr::report {
namespace {

constexpr char kNone[] = "-";

}  // namespace

std::string AucText(double value) {
  return std::isfinite(value) ? fmt::format("{:.4f}", value) : kNone;
}

std::string AucText(double mean, double deviation) {
  if (!std::isfinite(mean) || !std::isfinite(deviation)) return AucText(mean);
  return fmt::format("{:.4f} ± {:.4f}", mean, deviation);
}

std::string DifferenceText(double value) {
  return std::isfinite(value) ? fmt::format("{:+.4f}", value) : kNone;
}

std::string IntervalText(double low, double high) {
  if (!std::isfinite(low) || !std::isfinite(high)) return kNone;
  return fmt::format("[{:+.4f}, {:+.4f}]", low, high);
}

std::string NumberText(double value) {
  if (!std::isfinite(value)) return kNone;
  return std::abs(value) >= 999.5 ? CountText(value)
                                  : fmt::format("{:.3g}", value);
}

std::string PercentText(double share) {
  return std::isfinite(share) ? fmt::format("{:.1f} %", 100 * share) : kNone;
}

std::string CountText(double value) {
  if (!std::isfinite(value)) return kNone;
  std::string text = fmt::format("{:.0f}", value);
  for (auto at = static_cast<int64_t>(text.size()) - 3;
       at > (value < 0 ? 1 : 0); at -= 3)
    text.insert(static_cast<size_t>(at), 1, ',');
  return text;
}

std::string TimeText(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return kNone;
  const auto whole = static_cast<int64_t>(std::lround(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600)
    return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

}  // namespace larr::report
