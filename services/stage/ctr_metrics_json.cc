// SPDX-License-Identifier: Apache-2.0
#include "services/stage/ctr_metrics_json.h"

#include <cmath>

#include "common/ctr/metrics.h"

namespace larr::stage {
namespace {

using nlohmann::ordered_json;

ordered_json Number(double value) {
  return std::isnan(value) ? ordered_json() : ordered_json(value);
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
  groups.push_back(
      group_numbers
          .try_emplace(row.group, static_cast<int32_t>(group_numbers.size()))
          .first->second);
}

void ModelScores::Add(const torch::Tensor& probabilities) {
  const torch::Tensor rows = probabilities.to(torch::kFloat64).contiguous();
  const double* value = rows.data_ptr<double>();
  const int64_t tasks = rows.size(1);
  for (int64_t i = 0; i < rows.size(0); ++i) {
    ctr.push_back(value[i * tasks]);
    if (tasks > 1) ctcvr.push_back(value[i * tasks + 1]);
  }
}

ordered_json MetricsJson(const RowLabels& labels, const ModelScores& scores,
                         int bootstrap_samples, uint64_t seed) {
  const Metrics ctr = ComputeMetrics({scores.ctr, labels.click, labels.groups},
                                     bootstrap_samples, seed);
  ordered_json out = {{"rows", ctr.rows},
                      {"groups", ctr.gauc.groups},
                      {"clicks", ctr.positives}};
  AddTask("ctr", ctr, out);
  if (!scores.ctcvr.empty()) {
    const Metrics ctcvr = ComputeMetrics(
        {scores.ctcvr, labels.ctcvr, labels.groups}, bootstrap_samples, seed);
    out["orders"] = ctcvr.positives;
    AddTask("ctcvr", ctcvr, out);
  }
  return out;
}

ordered_json SliceJson(const RowLabels& labels, const ModelScores& scores,
                       const std::vector<bool>& chosen) {
  RowLabels rows;
  ModelScores kept;
  for (size_t i = 0; i < labels.size(); ++i) {
    if (!chosen[i]) continue;
    rows.click.push_back(labels.click[i]);
    rows.ctcvr.push_back(labels.ctcvr[i]);
    rows.groups.push_back(labels.groups[i]);
    kept.ctr.push_back(scores.ctr[i]);
    if (!scores.ctcvr.empty()) kept.ctcvr.push_back(scores.ctcvr[i]);
  }
  ordered_json out = {{"rows", rows.size()}};
  out["ctr_auc"] = Number(Auc(kept.ctr, rows.click));
  out["ctr_gauc"] = Number(Gauc({kept.ctr, rows.click, rows.groups}).value);
  if (!scores.ctcvr.empty()) {
    out["ctcvr_auc"] = Number(Auc(kept.ctcvr, rows.ctcvr));
    out["ctcvr_gauc"] =
        Number(Gauc({kept.ctcvr, rows.ctcvr, rows.groups}).value);
  }
  return out;
}

}  // namespace larr::stage
