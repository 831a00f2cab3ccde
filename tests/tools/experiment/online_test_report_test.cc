// SPDX-License-Identifier: Apache-2.0
#include "tools/experiment/online_test_report.h"

#include <catch2/catch.hpp>

namespace larr::experiment {
namespace {

using Json = nlohmann::ordered_json;

Json Metrics(double ctr_lift) {
  Json metrics;
  for (const char* name :
       {"gmv_per_request", "orders_per_request", "expected_ctr", "random_ctr",
        "best_ctr", "new_poi_ctr", "new_poi_expected_ctr"})
    metrics[name] = {{"control", 0.5},
                     {"treatment", 0.5},
                     {"lift", 0.0},
                     {"interval", {0.0, 0.0}}};
  metrics["ctr"] = {{"control", 0.2},
                    {"treatment", 0.2 * (1 + ctr_lift)},
                    {"lift", ctr_lift},
                    {"interval", {ctr_lift - 0.01, ctr_lift + 0.01}}};
  metrics["gained"] = {{"control", 0.7},
                       {"treatment", 0.73},
                       {"difference", 0.03},
                       {"interval", {0.02, 0.04}}};
  metrics["new_poi_share"] = {{"control", nullptr},
                              {"treatment", nullptr},
                              {"difference", nullptr},
                              {"interval", {nullptr, nullptr}}};
  return metrics;
}

Json Market() {
  const Json day = {{"date", "2025-04-11"}, {"metrics", Metrics(0.02)}};
  return {
      {"settings",
       {{"days", 1},
        {"requests_per_day", 100},
        {"candidates", 50},
        {"shown", 10},
        {"ranked_by", "CTR"},
        {"city", {{"users", 30}, {"pois", 20}}}}},
      {"aa",
       {{"metrics", Metrics(0.001)},
        {"salts",
         {{"salts", 200},
          {"excluding_zero", {{"ctr", 0.045}, {"gmv_per_request", 0.05}}}}}}},
      {"ab",
       {{"metrics", Metrics(0.02)},
        {"latency_ms", {{"control", {{"p50", 1.0}, {"p99", 2.0}}}}},
        {"by_day", {day}},
        {"against_aa",
         {{"control", {{"metrics", Metrics(-0.001)}}},
          {"treatment",
           {{"metrics", Metrics(0.019)},
            {"by_day", {{{"ctr", Metrics(0.018)["ctr"]}}}}}}}}}}};
}

TEST_CASE("An online test's report tells lifts with intervals",
          "[experiment]") {
  const auto report = MakeOnlineTestReport(Market());
  INFO(report.status().ToString());
  REQUIRE(report.ok());
  CHECK_THAT(report->lead[0],
             Catch::Contains("changes by +1.90 % [+0.90, +2.90]") &&
                 Catch::Contains("differs by +2.00 % [+1.00, +3.00]"));
  CHECK_THAT(report->lead[1],
             Catch::Contains("1 days with 100 requests each from 30 users"));
  const std::string text = ToMarkdown(*report, 1);
  CHECK_THAT(
      text,
      Catch::Contains("| CTR | 0.2000 | 0.2040 | +2.00 % | [+1.00, +3.00] |") &&
          Catch::Contains("| gained of best over random | 0.7000 | 0.7300 | "
                          "+3.00 points | [+2.00, +4.00] |") &&
          Catch::Contains("| share of new POIs | - | - | - | - |") &&
          Catch::Contains("| 2025-04-11 | +2.00 % [+1.00, +3.00] | +1.80 % "
                          "[+0.80, +2.80] | - |") &&
          Catch::Contains("excludes zero: gained of best over random.") &&
          Catch::Contains("4.5 % (CTR)") &&
          Catch::Contains("control p50 1.00 ms, p99 2.00 ms."));
  const report::Section& days = report->sections[3];
  REQUIRE(days.plots.size() == 1);
  CHECK(days.plots[0].series[1].points[0].y == Approx(1.8));
}

TEST_CASE("What is no online test is refused", "[experiment]") {
  Json market = Market();
  market["ab"].erase("by_day");
  const auto report = MakeOnlineTestReport(market);
  CHECK(report.status().code() == absl::StatusCode::kDataLoss);
  CHECK_THAT(std::string(report.status().message()), Catch::Contains("by_day"));
  CHECK_FALSE(MakeOnlineTestReport(Json()).ok());
}

}  // namespace
}  // namespace larr::experiment
