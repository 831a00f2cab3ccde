// SPDX-License-Identifier: Apache-2.0
#include "common/dataset/dataset_report.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <nlohmann/json.hpp>

namespace larr {
namespace {

using Catch::Contains;

DatasetReport Report() {
  DatasetReport report;
  report.name = "tiny";
  report.rows = 200;
  report.sampled_rows = 100;
  report.days = {{"2024-01-03", "train", 200, 50, 10}};
  report.tables = {{"users", 6, "2024-01-01", "2024-01-06", 3, 0.75},
                   {"pois", 0, "", "", 0, 0}};
  report.features = {{.name = "area",
                      .kind = "vocabulary",
                      .side = "POI",
                      .coverage = 0.5,
                      .distinct = 2,
                      .top = {{"north \xff", 0.75}},
                      .click_auc = 0.625,
                      .order_auc = std::nan("")}};
  return report;
}

TEST_CASE("A report is printed for people", "[dataset]") {
  DatasetReport report = Report();
  CHECK_FALSE(report.has_leak());
  const std::string text = ToText(report);
  CHECK_THAT(text, Contains("dataset tiny: 200 impressions"));
  CHECK_THAT(text, Contains("2024-01-03  train"));
  CHECK_THAT(text, Contains("25.00%           -"));  // No orders in the spec.
  CHECK_THAT(text, Contains("2024-01-01 .. 2024-01-06"));
  CHECK_THAT(text, Contains("75.0%"));
  CHECK_THAT(text, Contains("pois            none"));
  CHECK_THAT(text, Contains("0.625"));
  CHECK_THAT(text, Contains("nothing to complain about"));

  report.has_orders = true;
  report.findings = {{true, "feature x", "it knows"}};
  CHECK(report.has_leak());
  CHECK_THAT(ToText(report), Contains("25.00%       5.00%"));
  CHECK_THAT(ToText(report), Contains("LEAK?: feature x: it knows"));
}

TEST_CASE("A report is JSON for programs", "[dataset]") {
  const auto json = nlohmann::json::parse(ToJson(Report()));
  CHECK(json["rows"] == 200);
  CHECK(json["days"][0]["clicks"] == 50);
  CHECK(json["tables"][0]["joined"] == 0.75);
  CHECK(json["features"][0]["click_auc"] == 0.625);
  CHECK(json["features"][0]["order_auc"].is_null());
  CHECK(json["features"][0]["top"][0]["share"] == 0.75);
  CHECK(json["findings"].empty());
}

}  // namespace
}  // namespace larr
