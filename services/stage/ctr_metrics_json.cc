// SPDX-License-Identifier: Apache-2.0
#include "services/stage/ctr_metrics_json.h"

#include <cmath>

#include "common/ctr/auc.h"
#include "services/stage/group_sample.h"

namespace larr::stage {
namespace {

using nlohmann::ordered_json;

ordered_json Number(double value) {
  return std::isnan(value) ? ordered_json() : ordered_json(value);
}

// Of five decimals.
ordered_json Numbers(const std::vector<double>& values) {
  ordered_json out = ordered_json::array();
  for (const double value : values)
    out.push_back(Number(std::round(value * 1e5) / 1e5));
  return out;
}

ordered_json ToJson(const Interval& interval) {
  if (std::isnan(interval.low)) return ordered_json();
  return ordered_json::array({interval.low, interval.high});
}

// `prefix` is "ctr" or "ctcvr". CTR's log loss and calibration have none.
void AddTask(const std::string& prefix, const Metrics& metrics,
             ordered_json& out) {
  const std::string own = prefix == "ctr" ? "" : prefix + "_";
  out[prefix + "_auc"] = Number(metrics.auc);
  out[prefix + "_auc_interval"] = ToJson(metrics.auc_interval);
  out[prefix + "_gauc"] = Number(metrics.gauc.value);
  out[prefix + "_gauc_interval"] = ToJson(metrics.gauc_interval);
  out[prefix + "_groups_kept"] = metrics.gauc.groups_kept;
  out[prefix + "_rows_kept"] = metrics.gauc.rows_kept;
  out[own + "logloss"] = Number(metrics.log_loss);
  out[own + "calibration"] = Number(metrics.calibration.ratio);
  out[own + "calibration_error"] = Number(metrics.calibration.error);
  ordered_json& bins = out[own + "calibration_bins"] = ordered_json::array();
  for (const Calibration::Bin& bin : metrics.calibration.bins)
    bins.push_back({{"mean_score", bin.mean_score},
                    {"mean_label", bin.mean_label},
                    {"rows", bin.rows}});
}

}  // namespace

void RowLabels::Add(const Impression& row) {
  click.push_back(row.click != 0);
  ctcvr.push_back(row.click != 0 && row.order != 0);
  // Of rows that name no group, each is one of its own.
  const std::string group =
      row.group.empty() ? fmt::format("\n{}", groups.size()) : row.group;
  const auto [number, is_new] = group_numbers.try_emplace(
      group, static_cast<int32_t>(group_numbers.size()));
  if (is_new) group_keys.push_back(GroupKey(group));
  groups.push_back(number->second);
}

absl::Status ModelScores::Add(const torch::Tensor& probabilities) {
  const torch::Tensor rows = probabilities.to(torch::kFloat64).contiguous();
  if (!torch::isfinite(rows).all().item<bool>())
    return absl::DataLossError(
        "a model's score is not a finite number: its weights are damaged, or "
        "training diverged; train it again with a lower learning rate");
  const double* value = rows.data_ptr<double>();
  const int64_t tasks = rows.size(1);
  for (int64_t i = 0; i < rows.size(0); ++i) {
    ctr.push_back(value[i * tasks]);
    if (tasks > 1) ctcvr.push_back(value[i * tasks + 1]);
  }
  return absl::OkStatus();
}

JudgedRows ChooseRows(const RowLabels& labels, const ModelScores& scores,
                      const std::vector<bool>& chosen) {
  JudgedRows rows;
  for (size_t i = 0; i < labels.size(); ++i) {
    if (!chosen[i]) continue;
    rows.labels.click.push_back(labels.click[i]);
    rows.labels.ctcvr.push_back(labels.ctcvr[i]);
    rows.labels.groups.push_back(labels.groups[i]);
    rows.scores.ctr.push_back(scores.ctr[i]);
    if (!scores.ctcvr.empty()) rows.scores.ctcvr.push_back(scores.ctcvr[i]);
  }
  return rows;
}

TaskMetrics ComputeTaskMetrics(const RowLabels& labels,
                               const ModelScores& scores,
                               const GroupDraws& draws) {
  TaskMetrics metrics;
  metrics.ctr =
      ComputeMetrics({scores.ctr, labels.click, labels.groups}, draws);
  if (!scores.ctcvr.empty())
    metrics.ctcvr =
        ComputeMetrics({scores.ctcvr, labels.ctcvr, labels.groups}, draws);
  return metrics;
}

ordered_json MetricsJson(const TaskMetrics& metrics) {
  ordered_json out = {{"rows", metrics.ctr.rows},
                      {"groups", metrics.ctr.gauc.groups},
                      {"clicks", metrics.ctr.positives}};
  AddTask("ctr", metrics.ctr, out);
  if (metrics.ctcvr) {
    out["orders"] = metrics.ctcvr->positives;
    AddTask("ctcvr", *metrics.ctcvr, out);
  }
  return out;
}

ordered_json ReplicatesJson(const TaskMetrics& metrics) {
  ordered_json out = {{"ctr_auc", Numbers(metrics.ctr.auc_replicates)},
                      {"ctr_gauc", Numbers(metrics.ctr.gauc_replicates)}};
  if (metrics.ctcvr) {
    out["ctcvr_auc"] = Numbers(metrics.ctcvr->auc_replicates);
    out["ctcvr_gauc"] = Numbers(metrics.ctcvr->gauc_replicates);
  }
  return out;
}

ordered_json SliceJson(const RowLabels& labels, const ModelScores& scores,
                       bool has_orders) {
  ordered_json out = {{"rows", labels.size()}};
  out["ctr_auc"] = Number(Auc(scores.ctr, labels.click));
  out["ctr_gauc"] =
      Number(Gauc(ScoredRows{scores.ctr, labels.click, labels.groups}).value);
  if (has_orders) {
    out["ctcvr_auc"] = Number(Auc(scores.ctcvr, labels.ctcvr));
    out["ctcvr_gauc"] = Number(
        Gauc(ScoredRows{scores.ctcvr, labels.ctcvr, labels.groups}).value);
  }
  return out;
}

ordered_json SliceReplicatesJson(const RowLabels& labels,
                                 const ModelScores& scores,
                                 const GroupDraws& draws) {
  ordered_json out;
  out["ctr_auc"] =
      Numbers(AucReplicates({scores.ctr, labels.click, labels.groups}, draws));
  return out;
}

}  // namespace larr::stage
