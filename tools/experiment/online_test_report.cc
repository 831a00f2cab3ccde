// SPDX-License-Identifier: Apache-2.0
#include "tools/experiment/online_test_report.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "absl/status/status.h"

namespace larr::experiment {
namespace {

using namespace report;  // NOLINT: what reports are made of
using Json = nlohmann::ordered_json;

constexpr std::pair<const char*, const char*> kMetricTitles[] = {
    {"ctr", "CTR"},
    {"gmv_per_request", "GMV per request, yuan"},
    {"orders_per_request", "orders per request"},
    {"expected_ctr", "expected CTR"},
    {"random_ctr", "expected CTR, random order"},
    {"best_ctr", "expected CTR, best order"},
    {"gained", "gained of best over random"},
    {"new_poi_share", "share of new POIs"},
    {"new_poi_ctr", "CTR of new POIs"},
    {"new_poi_expected_ctr", "expected CTR of new POIs"}};

std::string Number(const Json& value) {
  return value.is_null() ? "-" : fmt::format("{:.4f}", value.get<double>());
}

// A lift or a difference of shares, in percent or in points of it.
struct Effect {
  bool known = false;
  double value = 0, low = 0, high = 0;
  const char* unit = "%";

  explicit Effect(const Json& metric) {
    const bool relative = metric.contains("lift");
    const Json& effect = metric.at(relative ? "lift" : "difference");
    const Json& interval = metric.at("interval");
    if (effect.is_null() || interval.at(0).is_null()) return;
    known = true;
    value = 100 * effect.get<double>();
    low = 100 * interval.at(0).get<double>();
    high = 100 * interval.at(1).get<double>();
    unit = relative ? "%" : "points";
  }
  std::string Text() const {
    return known ? fmt::format("{:+.2f} {}", value, unit) : "-";
  }
  std::string Interval() const {
    return known ? fmt::format("[{:+.2f}, {:+.2f}]", low, high) : "-";
  }
  std::string WithInterval() const {
    return known ? fmt::format("{} {}", Text(), Interval()) : "-";
  }
};

Table MetricTable(const Json& metrics, const char* first, const char* second) {
  Table table{"", {"", first, second, "lift", "95 % interval"}, {}};
  for (const auto& [name, title] : kMetricTitles) {
    const Json& metric = metrics.at(name);
    const Effect effect(metric);
    table.rows.push_back({title, Number(metric.at("control")),
                          Number(metric.at("treatment")), effect.Text(),
                          effect.Interval()});
  }
  return table;
}

// Titles of the rows that say that arms differ.
std::string Excluding(const Json& metrics) {
  std::string titles;
  for (const auto& [name, title] : kMetricTitles) {
    const Effect effect(metrics.at(name));
    if (effect.known && (effect.low > 0 || effect.high < 0))
      titles += fmt::format("{}{}", titles.empty() ? "" : "; ", title);
  }
  return titles.empty() ? "none" : titles;
}

Section AaSection(const Json& aa) {
  const Json& salts = aa.at("salts");
  const Json& excluding = salts.at("excluding_zero");
  return {
      "A/A: both arms have PLE",
      {fmt::format(
          "Nothing should differ but by chance, one row in twenty. Rows whose "
          "interval excludes zero: {}. Of {} other divisions of the same users "
          "{:.1f} % (CTR) and {:.1f} % (GMV) would "
          "have shown a difference that is none; 5 % are right.",
          Excluding(aa.at("metrics")), salts.at("salts").get<int>(),
          100 * excluding.at("ctr").get<double>(),
          100 * excluding.at("gmv_per_request").get<double>())},
      {MetricTable(aa.at("metrics"), "PLE", "PLE too")}};
}

Section AbSection(const Json& ab) {
  std::string latency = "Latency, on the machine that did everything else:";
  for (const auto& [arm, quantiles] : ab.at("latency_ms").items())
    latency += fmt::format(" {} p50 {:.2f} ms, p99 {:.2f} ms;", arm,
                           quantiles.at("p50").get<double>(),
                           quantiles.at("p99").get<double>());
  latency.back() = '.';
  return {
      "A/B: PLE (control) against LARR (treatment)",
      {"What a platform would see. Users differ much from each other, and "
       "so the interval is wide. In the paper's test (section 4.6) LARR had "
       "2.5 % more CTR and 1.2 % more GMV than the platform's own model.",
       latency},
      {MetricTable(ab.at("metrics"), "PLE", "LARR")}};
}

Section PairedSection(const Json& ab) {
  const Json& control = ab.at("against_aa").at("control").at("metrics");
  return {
      "The treatment's users against themselves",
      {"The same users with the same requests and the same luck, with LARR "
       "in the A/B test and with PLE in the A/A test: what only a "
       "simulator can have.",
       fmt::format("The control's users have PLE in both: their CTR changes "
                   "by {}, their GMV by {}, which spills over through the "
                   "counts that both arms share.",
                   Effect(control.at("ctr")).WithInterval(),
                   Effect(control.at("gmv_per_request")).WithInterval())},
      {MetricTable(ab.at("against_aa").at("treatment").at("metrics"),
                   "with PLE", "with LARR")}};
}

Section DaySection(const Json& ab) {
  Table table{
      "", {"day", "CTR", "CTR, against themselves", "share of new POIs"}, {}};
  Plot plot{"Lift of the CTR by day, %", "day of the test", {}};
  plot.markers = true;
  Series arms{"A/B", {}}, paired{"against themselves", {}};
  const Json& days = ab.at("by_day");
  const Json& paired_days = ab.at("against_aa").at("treatment").at("by_day");
  for (size_t day = 0; day < days.size(); ++day) {
    const Json& metrics = days.at(day).at("metrics");
    const Effect lift(metrics.at("ctr"));
    const Effect own(paired_days.at(day).at("ctr"));
    table.rows.push_back({days.at(day).at("date").get<std::string>(),
                          lift.WithInterval(), own.WithInterval(),
                          Effect(metrics.at("new_poi_share")).WithInterval()});
    const double x = static_cast<double>(day + 1);
    if (lift.known) arms.points.push_back({x, lift.value, lift.low, lift.high});
    if (own.known) paired.points.push_back({x, own.value, own.low, own.high});
  }
  plot.series = {std::move(arms), std::move(paired)};
  return {"By day",
          {"Does the lift fade, and who shows what has just opened?"},
          {std::move(table)},
          {std::move(plot)}};
}

bool IsRetrained(const Json& settings) {
  return settings.value("retrain", false);
}

std::string Headline(const Json& settings, const Json& ab) {
  const Effect paired(
      ab.at("against_aa").at("treatment").at("metrics").at("ctr"));
  const Effect arms(ab.at("metrics").at("ctr"));
  return fmt::format(
      "In the online test{} the CTR of the same users in the same moments "
      "changes by {} when LARR takes PLE's place; between the two arms it "
      "differs by {}.",
      IsRetrained(settings) ? " with both models trained anew every night" : "",
      paired.WithInterval(), arms.WithInterval());
}

std::string SettingsText(const Json& settings) {
  const Json& city = settings.at("city");
  return fmt::format(
      "{} days with {} requests each from {} users of a city of {} POIs, up to "
      "{} candidates a request, ranked by {}; the first {} are shown. What the "
      "test is, and what it is not: docs/online-test.md.",
      settings.at("days").get<int>(),
      settings.at("requests_per_day").get<int>(), city.at("users").get<int>(),
      city.at("pois").get<int>(), settings.at("candidates").get<int>(),
      settings.at("ranked_by").get<std::string>(),
      settings.at("shown").get<int>());
}

// What the mornings' gates decided.
std::string TrainingText(const Json& market) {
  int trainings = 0, passed = 0;
  for (const char* test : {"aa", "ab"}) {
    const Json& days = market.at(test).at("days");
    for (size_t day = 1; day < days.size(); ++day) {
      for (const Json& arm : days.at(day).at("arms")) {
        ++trainings;
        passed += arm.at("trained") == days.at(day).at("date");
      }
    }
  }
  return fmt::format(
      "From the second day on both arms' models are trained anew before the "
      "day begins, on all rows but the last day's, which the gate checks them "
      "by, without the lifetime rates and counts of users and POIs; the "
      "language model stays. Of {} mornings of an arm (in A/A both have one "
      "model) {} began with that morning's; where the gate refused, the one "
      "before stayed.",
      trainings, passed);
}

}  // namespace

absl::StatusOr<Document> MakeOnlineTestReport(const Json& market) try {
  const Json& ab = market.at("ab");
  const Json& settings = market.at("settings");
  const bool retrained = IsRetrained(settings);
  std::vector<std::string> lead = {Headline(settings, ab),
                                   SettingsText(settings)};
  if (retrained) lead.push_back(TrainingText(market));
  return Document{
      retrained ? "The online test, with nightly training" : "The online test",
      std::move(lead),
      {AaSection(market.at("aa")),
       AbSection(ab),
       PairedSection(ab),
       DaySection(ab),
       {"To run it again", {}, {}, {}, {{"settings", settings.dump(2)}}}}};
} catch (const Json::exception& error) {
  return absl::DataLossError(
      fmt::format("this is not what larr_market writes: {}", error.what()));
}

}  // namespace larr::experiment
