// SPDX-License-Identifier: Apache-2.0
#include "tools/market/result_text.h"

#include <fmt/format.h>

#include "tools/market/online_test.h"

namespace larr::market {
namespace {

constexpr const char* kHeadings[][2] = {
    {"ctr", "CTR"},
    {"gmv_per_request", "GMV per request, yuan"},
    {"orders_per_request", "orders per request"},
    {"expected_ctr", "expected CTR"},
    {"random_ctr", "  of a random order"},
    {"best_ctr", "  of the best order"},
    {"gained", "gained of best over random"},
    {"new_poi_share", "share of new POIs"},
    {"new_poi_ctr", "CTR of new POIs"},
    {"new_poi_expected_ctr", "expected CTR of new POIs"}};

std::string Number(const Json& json) {
  return json.is_null() ? "-" : fmt::format("{:.4f}", json.get<double>());
}

// An effect and its interval, in percent.
std::string Effect(const Json& metric) {
  const bool relative = metric.contains("lift");
  const Json& effect = metric[relative ? "lift" : "difference"];
  const Json& interval = metric["interval"];
  if (effect.is_null() || interval[0].is_null()) return "-";
  return fmt::format("{:+6.2f} {}  [{:+.2f}, {:+.2f}]",
                     100 * effect.get<double>(), relative ? "%" : "p",
                     100 * interval[0].get<double>(),
                     100 * interval[1].get<double>());
}

std::string MetricsText(const Json& metrics) {
  std::string text = fmt::format("{:<28}{:>9}{:>11}  {}\n", "", kControl,
                                 kTreatment, "lift, 95 % interval");
  for (const auto& [name, heading] : kHeadings) {
    const Json& metric = metrics[name];
    text += fmt::format("{:<28}{:>9}{:>11}  {}\n", heading,
                        Number(metric["control"]), Number(metric["treatment"]),
                        Effect(metric));
  }
  return text;
}

std::string LatencyText(const Json& test) {
  std::string text;
  for (const auto& [arm, quantiles] : test["latency_ms"].items()) {
    text += fmt::format("latency of {}: p50 {:.2f} ms, p99 {:.2f} ms\n", arm,
                        quantiles["p50"].get<double>(),
                        quantiles["p99"].get<double>());
  }
  return text;
}

std::string ByDayText(const Json& ab) {
  std::string text =
      fmt::format("{:<12}{:<26}{:<26}{}\n", "", "CTR",
                  "CTR, against themselves", "share of new POIs");
  for (size_t day = 0; day < ab["by_day"].size(); ++day) {
    const Json& metrics = ab["by_day"][day]["metrics"];
    const Json& paired = ab["against_aa"][kTreatment]["by_day"][day];
    text += fmt::format("{:<12}{:<26}{:<26}{}\n",
                        ab["by_day"][day]["date"].get<std::string>(),
                        Effect(metrics["ctr"]), Effect(paired["ctr"]),
                        Effect(metrics["new_poi_share"]));
  }
  return text;
}

}  // namespace

std::string ResultText(const Json& result) {
  const Json& aa = result["aa"];
  const Json& ab = result["ab"];
  const Json& excluding = aa["salts"]["excluding_zero"];
  return fmt::format(
      "A/A: both arms PLE. No interval should exclude zero.\n{}"
      "Of {} other divisions of the users, {:.1f} % (CTR) and {:.1f} % (GMV) "
      "would have shown a difference; 5 % are right.\n\n"
      "A/B: PLE (control) against LARR (treatment)\n{}{}\n"
      "The treatment's users against themselves in the A/A test\n{}\n"
      "By day\n{}",
      MetricsText(aa["metrics"]), aa["salts"]["salts"].get<int>(),
      100 * excluding["ctr"].get<double>(),
      100 * excluding["gmv_per_request"].get<double>(),
      MetricsText(ab["metrics"]), LatencyText(ab),
      MetricsText(ab["against_aa"][kTreatment]["metrics"]), ByDayText(ab));
}

}  // namespace larr::market
