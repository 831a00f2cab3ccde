// SPDX-License-Identifier: Apache-2.0
//
// Scored rows, drawn at random, and their AUC by definition.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "common/ctr/auc.h"

namespace larr::testing {

struct RandomRows {
  std::vector<double> scores;
  std::vector<uint8_t> labels;
  std::vector<int32_t> groups;

  RandomRows() = default;
  // Scores of few values, so that there are ties; the higher the score, the
  // likelier a positive.
  RandomRows(int count, int values, int group_count, uint64_t seed) {
    std::mt19937_64 random(seed);
    for (int i = 0; i < count; ++i) {
      const double score =
          static_cast<double>(random() % values + 1) / (values + 1);
      const bool label = static_cast<double>(random() % 1000) / 1000 < score;
      Add(score, label, static_cast<int32_t>(random() % group_count));
    }
  }

  void Add(double score, uint8_t label, int32_t group) {
    scores.push_back(score);
    labels.push_back(label);
    groups.push_back(group);
  }

  operator ScoredRows() const { return {scores, labels, groups}; }
};

// Over all pairs of a positive and a negative, of one group or, with -1, all.
inline double BruteAuc(const RandomRows& rows, int group = -1) {
  double won = 0, pairs = 0;
  for (size_t i = 0; i < rows.scores.size(); ++i) {
    for (size_t j = 0; j < rows.scores.size(); ++j) {
      if (!rows.labels[i] || rows.labels[j]) continue;
      if (group >= 0 && (rows.groups[i] != group || rows.groups[j] != group))
        continue;
      won += rows.scores[i] > rows.scores[j]
                 ? 1
                 : (rows.scores[i] == rows.scores[j] ? 0.5 : 0);
      ++pairs;
    }
  }
  return pairs > 0 ? won / pairs : std::nan("");
}

// By group, weighted by rows, without groups of one class.
inline double BruteGauc(const RandomRows& rows, int group_count) {
  double sum = 0, kept = 0;
  for (int group = 0; group < group_count; ++group) {
    const double auc = BruteAuc(rows, group);
    if (std::isnan(auc)) continue;
    double size = 0;
    for (const int32_t one : rows.groups) size += one == group;
    sum += auc * size;
    kept += size;
  }
  return kept > 0 ? sum / kept : std::nan("");
}

}  // namespace larr::testing
