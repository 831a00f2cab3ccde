// SPDX-License-Identifier: Apache-2.0
#include "services/stage/ctr_metrics_json.h"

#include <catch2/catch.hpp>

namespace larr::stage {
namespace {

RowLabels Labels() {
  RowLabels labels;
  Impression row;
  // Two groups of three rows; the second has no click.
  for (const auto& [group, click, order] : {std::tuple{"a", 1.0F, 1.0F},
                                            {"a", 0.0F, 0.0F},
                                            {"a", 1.0F, 0.0F},
                                            {"b", 0.0F, 0.0F},
                                            {"b", 0.0F, 0.0F},
                                            {"b", 0.0F, 0.0F}}) {
    row.group = group;
    row.click = click;
    row.order = order;
    labels.Add(row);
  }
  return labels;
}

ModelScores Scores() {
  ModelScores scores;
  scores.Add(torch::tensor({{0.9F, 0.3F}, {0.1F, 0.2F}, {0.4F, 0.1F}}));
  scores.Add(torch::tensor({{0.5F, 0.1F}, {0.2F, 0.0F}, {0.3F, 0.0F}}));
  return scores;
}

TEST_CASE("every metric of both tasks, with intervals over groups") {
  const auto json = MetricsJson(Labels(), Scores(), 10, 1);
  REQUIRE(json["rows"] == 6);
  REQUIRE(json["groups"] == 2);
  REQUIRE(json["clicks"] == 2);
  REQUIRE(json["orders"] == 1);
  REQUIRE(json["ctr_auc"].get<double>() == Approx(7.0 / 8));
  REQUIRE(json["ctr_gauc"] == 1.0);
  REQUIRE(json["ctr_groups_kept"] == 1);
  REQUIRE(json["ctr_auc_interval"].size() == 2);
  REQUIRE(json["calibration"].get<double>() == Approx(2.4 / 2));
  REQUIRE(json["ctcvr_auc"] == 1.0);
  REQUIRE(json["ctcvr_calibration"].get<double>() == Approx(0.7));
  REQUIRE(json["logloss"].is_number());
  REQUIRE(json["ctcvr_logloss"].is_number());
}

TEST_CASE("a slice judges its own rows; what does not exist is null") {
  std::vector<bool> chosen = {true, true, false, false, false, false};
  const auto json = SliceJson(Labels(), Scores(), chosen);
  REQUIRE(json["rows"] == 2);
  REQUIRE(json["ctr_auc"] == 1.0);
  const auto none = SliceJson(Labels(), Scores(), std::vector<bool>(6));
  REQUIRE(none["rows"] == 0);
  REQUIRE(none["ctr_auc"].is_null());
  REQUIRE(none["ctcvr_gauc"].is_null());
}

TEST_CASE("a model without orders has no CTCVR") {
  ModelScores scores;
  scores.Add(torch::full({6, 1}, 0.5F));
  const auto json = MetricsJson(Labels(), scores, 0, 1);
  REQUIRE(json["ctr_auc"] == 0.5);
  REQUIRE(json["ctr_auc_interval"].is_null());
  REQUIRE_FALSE(json.contains("ctcvr_auc"));
}

}  // namespace
}  // namespace larr::stage
