// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace larr {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

double Mean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) /
         static_cast<double>(values.size());
}

}  // namespace

double LogLoss(std::span<const double> scores,
               std::span<const uint8_t> labels) {
  double sum = 0;
  for (size_t i = 0; i < scores.size(); ++i) {
    const double p = std::clamp(scores[i], 1e-7, 1 - 1e-7);
    sum -= std::log(labels[i] ? p : 1 - p);
  }
  return scores.empty() ? kNaN : sum / static_cast<double>(scores.size());
}

Calibration Calibrate(std::span<const double> scores,
                      std::span<const uint8_t> labels, int bins) {
  Calibration result;
  const int64_t n = static_cast<int64_t>(scores.size());
  const double positives = std::accumulate(labels.begin(), labels.end(), 0.0);
  result.ratio =
      positives > 0 ? Mean(scores) * static_cast<double>(n) / positives : kNaN;
  result.error = n > 0 ? 0 : kNaN;
  const auto order = OrderByScore(scores);
  for (int b = 0; b < bins; ++b) {
    Calibration::Bin bin;
    const int64_t begin = n * b / bins, end = n * (b + 1) / bins;
    if (begin == end) continue;
    for (int64_t i = begin; i < end; ++i) {
      bin.mean_score += scores[order[i]];
      bin.mean_label += labels[order[i]];
    }
    bin.rows = end - begin;
    bin.mean_score /= static_cast<double>(bin.rows);
    bin.mean_label /= static_cast<double>(bin.rows);
    result.error += std::abs(bin.mean_score - bin.mean_label) *
                    static_cast<double>(bin.rows) / static_cast<double>(n);
    result.bins.push_back(bin);
  }
  return result;
}

Metrics ComputeMetrics(const ScoredRows& rows, const GroupDraws& draws) {
  Metrics metrics;
  metrics.rows = static_cast<int64_t>(rows.scores.size());
  metrics.positives =
      std::accumulate(rows.labels.begin(), rows.labels.end(), int64_t{0});
  const auto groups = GroupAucs(rows);
  metrics.auc = Auc(rows.scores, rows.labels);
  metrics.auc_replicates = AucReplicates(rows, draws);
  metrics.auc_interval = IntervalOf(metrics.auc_replicates);
  metrics.gauc = Gauc(groups);
  metrics.gauc_replicates = GaucReplicates(groups, draws);
  metrics.gauc_interval = IntervalOf(metrics.gauc_replicates);
  metrics.log_loss = LogLoss(rows.scores, rows.labels);
  metrics.calibration = Calibrate(rows.scores, rows.labels);
  return metrics;
}

}  // namespace larr
