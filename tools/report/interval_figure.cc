// SPDX-License-Identifier: Apache-2.0
#include "tools/report/interval_figure.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "absl/strings/str_replace.h"
#include "tools/report/numbers.h"

namespace larr::report {
namespace {

// Pixels.
constexpr int kWidth = 860, kLeft = 370, kRight = 780, kRowHeight = 24;
constexpr int kFirstRow = 58;

constexpr char kStyle[] = R"(<style>
text { font: 13px system-ui, sans-serif; fill: #1b2330 }
.title { font-weight: 600; font-size: 15px }
.soft { fill: #5c6776 }
.grid { stroke: #dde2e8 }
.zero { stroke: #5c6776 }
.good { fill: #0b8457; stroke: #0b8457 }
.bad { fill: #c62828; stroke: #c62828 }
.none { fill: #8a94a3; stroke: #8a94a3 }
.bar { stroke-width: 3 }
@media (prefers-color-scheme: dark) {
  text { fill: #e7ebf0 }
  .soft { fill: #9aa6b5 }
  .grid { stroke: #2d3642 }
  .zero { stroke: #9aa6b5 }
  .good { fill: #4cc796; stroke: #4cc796 }
  .bad { fill: #ff7a73; stroke: #ff7a73 }
}
</style>
)";

std::string Escaped(const std::string& text) {
  return absl::StrReplaceAll(text,
                             {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}});
}

const char* ClassOf(IntervalRow::Tone tone) {
  switch (tone) {
    case IntervalRow::Tone::kGood:
      return "good";
    case IntervalRow::Tone::kBad:
      return "bad";
    case IntervalRow::Tone::kNone:
      break;
  }
  return "none";
}

// From numbers to pixels.
struct Axis {
  double low = 0, high = 0;
  double step = 0;  // between ticks: 1, 2 or 5 times a power of ten

  explicit Axis(const std::vector<IntervalRow>& rows) {
    for (const IntervalRow& row : rows) {
      low = std::min(low, row.low);
      high = std::max(high, row.high);
    }
    const double rough = std::max(high - low, 1e-9) / 6;
    const double power = std::pow(10, std::floor(std::log10(rough)));
    for (const double times : {1, 2, 5, 10}) {
      step = times * power;
      if (step >= rough) break;
    }
    low = std::floor(low / step) * step;
    high = std::ceil(high / step) * step;
    if (high <= low) high = low + step;
  }
  double At(double value) const {
    return kLeft + (value - low) / (high - low) * (kRight - kLeft);
  }
};

}  // namespace

std::string IntervalFigure(const std::string& title, const std::string& x_title,
                           const std::vector<IntervalRow>& rows) {
  const Axis axis(rows);
  const int bottom = kFirstRow + kRowHeight * static_cast<int>(rows.size());
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" "
      "width=\"{0}\" height=\"{1}\" role=\"img\">\n<title>{2}</title>\n{3}"
      "<text class=\"title\" x=\"8\" y=\"24\">{2}</text>\n",
      kWidth, bottom + 44, Escaped(title), kStyle);
  const int ticks =
      static_cast<int>(std::lround((axis.high - axis.low) / axis.step));
  for (int i = 0; i <= ticks; ++i) {
    const double value = axis.low + i * axis.step;
    const bool zero = std::abs(value) < axis.step / 2;
    svg += fmt::format(
        "<line class=\"{0}\" x1=\"{1:.1f}\" x2=\"{1:.1f}\" y1=\"{2}\" "
        "y2=\"{3}\"/>\n<text class=\"soft\" x=\"{1:.1f}\" y=\"{4}\" "
        "text-anchor=\"middle\">{5}</text>\n",
        zero ? "zero" : "grid", axis.At(value), kFirstRow - 16, bottom,
        bottom + 16, zero ? "0" : fmt::format("{:+g}", value));
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    const IntervalRow& row = rows[i];
    const int y = kFirstRow + kRowHeight * static_cast<int>(i);
    svg += fmt::format(
        "<text x=\"8\" y=\"{0}\">{1}</text>\n"
        "<line class=\"bar {2}\" x1=\"{3:.1f}\" x2=\"{4:.1f}\" y1=\"{5}\" "
        "y2=\"{5}\"/>\n"
        "<circle class=\"{2}\" cx=\"{6:.1f}\" cy=\"{5}\" r=\"5\"/>\n"
        "<text x=\"{7}\" y=\"{0}\" text-anchor=\"end\">{8}</text>\n",
        y + 4, Escaped(row.label), ClassOf(row.tone), axis.At(row.low),
        axis.At(row.high), y, axis.At(row.value), kWidth - 8,
        DifferenceText(row.value));
  }
  svg += fmt::format(
      "<text class=\"soft\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}"
      "</text>\n</svg>\n",
      (kLeft + kRight) / 2, bottom + 36, Escaped(x_title));
  return svg;
}

}  // namespace larr::report
