// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/auc.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace larr {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// AUC of the rows that `order` names, ascending by score.
double AucInOrder(std::span<const int64_t> order,
                  std::span<const double> scores,
                  std::span<const uint8_t> labels) {
  double positives = 0, negatives = 0, won = 0;
  for (size_t i = 0; i < order.size();) {
    double tied_positives = 0, tied_negatives = 0;
    const double score = scores[order[i]];
    for (; i < order.size() && scores[order[i]] == score; ++i)
      ++(labels[order[i]] ? tied_positives : tied_negatives);
    won += tied_positives * (negatives + tied_negatives / 2);
    positives += tied_positives;
    negatives += tied_negatives;
  }
  return positives > 0 && negatives > 0 ? won / (positives * negatives) : kNaN;
}

}  // namespace

std::vector<int64_t> OrderByScore(std::span<const double> scores) {
  std::vector<int64_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](int64_t a, int64_t b) { return scores[a] < scores[b]; });
  return order;
}

double Auc(std::span<const double> scores, std::span<const uint8_t> labels) {
  return AucInOrder(OrderByScore(scores), scores, labels);
}

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
                 AucInOrder(members[g], rows.scores, rows.labels)};
  return groups;
}

GroupAuc Gauc(std::span<const OneGroup> groups) {
  GroupAuc result;
  double sum = 0;
  for (const OneGroup& group : groups) {
    result.groups += group.rows > 0;
    if (std::isnan(group.auc)) continue;
    ++result.groups_kept;
    result.rows_kept += group.rows;
    sum += static_cast<double>(group.rows) * group.auc;
  }
  result.value =
      result.rows_kept > 0 ? sum / static_cast<double>(result.rows_kept) : kNaN;
  return result;
}

GroupAuc Gauc(const ScoredRows& rows) { return Gauc(GroupAucs(rows)); }

}  // namespace larr
