// SPDX-License-Identifier: Apache-2.0
//
// AUC over all rows and group by group. Free of LibTorch.
//
// An AUC of one class does not exist and is NaN. Groups are numbers from 0; any
// number of them may be empty.
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace larr {

// Rows to judge. REQUIRES: equal sizes; labels 0 or 1; groups >= 0.
struct ScoredRows {
  std::span<const double> scores;  // Probabilities.
  std::span<const uint8_t> labels;
  std::span<const int32_t> groups;
};

// Row numbers, ascending by score.
std::vector<int64_t> OrderByScore(std::span<const double> scores);

// P(score of a positive > score of a negative), ties count half.
double Auc(std::span<const double> scores, std::span<const uint8_t> labels);

// Each group's own AUC, by group.
struct OneGroup {
  int64_t rows = 0;
  double auc = std::numeric_limits<double>::quiet_NaN();
};
std::vector<OneGroup> GroupAucs(const ScoredRows& rows);

// Per-group AUC, weighted by the group's rows; groups of one class are dropped.
struct GroupAuc {
  double value = 0;
  int64_t groups = 0;  // Non-empty ones.
  int64_t groups_kept = 0;
  int64_t rows_kept = 0;
};
GroupAuc Gauc(std::span<const OneGroup> groups);
GroupAuc Gauc(const ScoredRows& rows);

}  // namespace larr
