// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

namespace larr {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::vector<int64_t> OrderByScore(std::span<const double> scores) {
  std::vector<int64_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](int64_t a, int64_t b) { return scores[a] < scores[b]; });
  return order;
}

// AUC of rows that count `weight(row)` times. `order` is ascending by score.
template <typename Weight>
double WeightedAuc(std::span<const int64_t> order,
                   std::span<const double> scores,
                   std::span<const uint8_t> labels, const Weight& weight) {
  double positives = 0, negatives = 0, won = 0;
  for (size_t i = 0; i < order.size();) {
    double tied_positives = 0, tied_negatives = 0;
    const double score = scores[order[i]];
    for (; i < order.size() && scores[order[i]] == score; ++i)
      (labels[order[i]] ? tied_positives : tied_negatives) += weight(order[i]);
    won += tied_positives * (negatives + tied_negatives / 2);
    positives += tied_positives;
    negatives += tied_negatives;
  }
  return positives > 0 && negatives > 0 ? won / (positives * negatives) : kNaN;
}

struct OneGroup {
  int64_t rows = 0;
  double auc = kNaN;  // NaN if it has one class.
};

std::vector<OneGroup> GroupAucs(const ScoredRows& rows) {
  int32_t count = 0;
  for (const int32_t group : rows.groups) count = std::max(count, group + 1);
  std::vector<std::vector<int64_t>> members(count);
  // Visited in the order of scores, so that each group comes out sorted.
  for (const int64_t row : OrderByScore(rows.scores))
    members[rows.groups[row]].push_back(row);
  std::vector<OneGroup> groups(count);
  for (int32_t g = 0; g < count; ++g)
    groups[g] = {static_cast<int64_t>(members[g].size()),
                 WeightedAuc(members[g], rows.scores, rows.labels,
                             [](int64_t) { return 1.0; })};
  return groups;
}

// Mean over groups that count `times[group]` times each.
template <typename Times>
double MeanAuc(const std::vector<OneGroup>& groups, const Times& times) {
  double sum = 0, mass = 0;
  for (size_t g = 0; g < groups.size(); ++g) {
    if (std::isnan(groups[g].auc)) continue;
    const double weight = static_cast<double>(groups[g].rows) * times(g);
    sum += weight * groups[g].auc;
    mass += weight;
  }
  return mass > 0 ? sum / mass : kNaN;
}

GroupAuc Summarise(const std::vector<OneGroup>& groups) {
  GroupAuc result;
  for (const OneGroup& group : groups) {
    result.groups += group.rows > 0;
    if (std::isnan(group.auc)) continue;
    ++result.groups_kept;
    result.rows_kept += group.rows;
  }
  result.value = MeanAuc(groups, [](size_t) { return 1.0; });
  return result;
}

Interval Quantiles(std::vector<double> values) {
  std::erase_if(values, [](double value) { return std::isnan(value); });
  if (values.empty()) return {kNaN, kNaN};
  std::sort(values.begin(), values.end());
  const auto at = [&](double q) {
    const double place = q * static_cast<double>(values.size() - 1);
    const size_t low = static_cast<size_t>(place);
    const size_t high = std::min(low + 1, values.size() - 1);
    return std::lerp(values[low], values[high],
                     place - static_cast<double>(low));
  };
  return {at(0.025), at(0.975)};
}

// How often each group is drawn. Only non-empty groups are.
std::vector<int32_t> DrawGroups(const std::vector<int32_t>& present,
                                size_t group_count, std::mt19937_64& random) {
  std::vector<int32_t> times(group_count, 0);
  // Not std::uniform_int_distribution: its draws differ between libraries.
  for (size_t i = 0; i < present.size(); ++i)
    ++times[present[random() % present.size()]];
  return times;
}

double Mean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) /
         static_cast<double>(values.size());
}

}  // namespace

double Auc(std::span<const double> scores, std::span<const uint8_t> labels) {
  return WeightedAuc(OrderByScore(scores), scores, labels,
                     [](int64_t) { return 1.0; });
}

GroupAuc Gauc(const ScoredRows& rows) { return Summarise(GroupAucs(rows)); }

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

Metrics ComputeMetrics(const ScoredRows& rows, int bootstrap_samples,
                       uint64_t seed) {
  Metrics metrics;
  metrics.rows = static_cast<int64_t>(rows.scores.size());
  metrics.positives =
      std::accumulate(rows.labels.begin(), rows.labels.end(), int64_t{0});
  const auto order = OrderByScore(rows.scores);
  const auto groups = GroupAucs(rows);
  metrics.auc =
      WeightedAuc(order, rows.scores, rows.labels, [](int64_t) { return 1.0; });
  metrics.gauc = Summarise(groups);
  metrics.log_loss = LogLoss(rows.scores, rows.labels);
  metrics.calibration = Calibrate(rows.scores, rows.labels);

  std::vector<int32_t> present;
  for (size_t g = 0; g < groups.size(); ++g)
    if (groups[g].rows > 0) present.push_back(static_cast<int32_t>(g));
  std::mt19937_64 random(seed);
  std::vector<double> aucs, gaucs;
  for (int sample = 0; sample < bootstrap_samples && !present.empty();
       ++sample) {
    const auto times = DrawGroups(present, groups.size(), random);
    aucs.push_back(
        WeightedAuc(order, rows.scores, rows.labels, [&](int64_t row) {
          return static_cast<double>(times[rows.groups[row]]);
        }));
    gaucs.push_back(MeanAuc(
        groups, [&](size_t g) { return static_cast<double>(times[g]); }));
  }
  metrics.auc_interval = Quantiles(std::move(aucs));
  metrics.gauc_interval = Quantiles(std::move(gaucs));
  return metrics;
}

}  // namespace larr
