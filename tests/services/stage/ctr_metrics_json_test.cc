// SPDX-License-Identifier: Apache-2.0
#include "services/stage/ctr_metrics_json.h"

#include <catch2/catch.hpp>
#include <cmath>

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
  for (const auto& batch :
       {torch::tensor({{0.9F, 0.3F}, {0.1F, 0.2F}, {0.4F, 0.1F}}),
        torch::tensor({{0.5F, 0.1F}, {0.2F, 0.0F}, {0.3F, 0.0F}})})
    REQUIRE(scores.Add(batch).ok());
  return scores;
}

TEST_CASE("every metric of both tasks, with intervals over groups") {
  const RowLabels labels = Labels();
  const TaskMetrics metrics = ComputeTaskMetrics(
      labels, Scores(), GroupDraws(labels.group_keys, 10, 1));
  const auto json = MetricsJson(metrics);
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

TEST_CASE("rows that name no group are each their own") {
  RowLabels labels;
  ModelScores scores;
  Impression row;
  for (const float click : {0.0F, 1.0F, 0.0F, 1.0F}) {
    row.click = click;
    labels.Add(row);
  }
  REQUIRE(scores.Add(torch::tensor({{0.9F}, {0.1F}, {0.8F}, {0.2F}})).ok());
  const auto json = MetricsJson(ComputeTaskMetrics(labels, scores, {}));
  REQUIRE(json["groups"] == 4);
  REQUIRE(json["ctr_groups_kept"] == 0);
  REQUIRE(json["ctr_gauc"].is_null());
  REQUIRE(json["ctr_auc"] == 0.0);
}

TEST_CASE("replicates have five decimals, and are null where there are none") {
  const RowLabels labels = Labels();
  const GroupDraws draws(labels.group_keys, 40, 1);
  const auto json = ReplicatesJson(ComputeTaskMetrics(labels, Scores(), draws));
  for (const char* metric : {"ctr_auc", "ctr_gauc", "ctcvr_auc", "ctcvr_gauc"})
    REQUIRE(json[metric].size() == 40);
  bool found_null = false;
  for (int draw = 0; draw < 40; ++draw) {
    // Without group a there is no click. Its own AUC is 1; group b's rows are
    // beaten but for one pair of six.
    const double a = draws.of(draw)[0], b = draws.of(draw)[1];
    const auto& auc = json["ctr_auc"][draw];
    CHECK(auc.is_null() == (a == 0));
    CHECK(json["ctr_gauc"][draw].is_null() == (a == 0));
    found_null |= auc.is_null();
    if (a > 0)
      CHECK(auc.get<double>() ==
            std::round((2 * a + 5 * b) / (2 * a + 6 * b) * 1e5) / 1e5);
  }
  CHECK(found_null);
}

TEST_CASE("a slice judges its own rows; what does not exist is null") {
  std::vector<bool> chosen = {true, true, false, false, false, false};
  const JudgedRows first = ChooseRows(Labels(), Scores(), chosen);
  const auto json = SliceJson(first.labels, first.scores, true);
  REQUIRE(json["rows"] == 2);
  REQUIRE(json["ctr_auc"] == 1.0);
  const JudgedRows no = ChooseRows(Labels(), Scores(), std::vector<bool>(6));
  const auto none = SliceJson(no.labels, no.scores, true);
  REQUIRE(none["rows"] == 0);
  REQUIRE(none["ctr_auc"].is_null());
  REQUIRE(none.at("ctcvr_gauc").is_null());
  REQUIRE_FALSE(SliceJson(no.labels, no.scores, false).contains("ctcvr_auc"));
  const auto replicates = SliceReplicatesJson(
      no.labels, no.scores, GroupDraws(Labels().group_keys, 3, 1));
  REQUIRE(replicates ==
          nlohmann::ordered_json{{"ctr_auc", {nullptr, nullptr, nullptr}}});
}

TEST_CASE("a model without orders has no CTCVR") {
  ModelScores scores;
  REQUIRE(scores.Add(torch::full({6, 1}, 0.5F)).ok());
  const auto metrics = ComputeTaskMetrics(Labels(), scores, {});
  const auto json = MetricsJson(metrics);
  REQUIRE(json["ctr_auc"] == 0.5);
  REQUIRE(json["ctr_auc_interval"].is_null());
  REQUIRE_FALSE(json.contains("ctcvr_auc"));
  REQUIRE_FALSE(ReplicatesJson(metrics).contains("ctcvr_auc"));
}

TEST_CASE("a score that is no number is an error") {
  ModelScores scores;
  for (const float wrong : {std::nanf(""), HUGE_VALF})
    REQUIRE(absl::IsDataLoss(
        scores.Add(torch::tensor({{0.5F, 0.1F}, {0.2F, wrong}}))));
}

}  // namespace
}  // namespace larr::stage
