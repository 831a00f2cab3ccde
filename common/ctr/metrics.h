// SPDX-License-Identifier: Apache-2.0
//
// How good scores are: AUC, GAUC, log loss, calibration, with intervals by
// bootstrap over groups. Free of LibTorch.
//
// A metric that does not exist (AUC of one class, a ratio to no positives) is
// NaN. Groups are numbers from 0; any number of them may be empty.
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace larr {

// Rows to judge. REQUIRES: equal sizes; labels 0 or 1; groups >= 0.
struct ScoredRows {
  std::span<const double> scores;  // Probabilities.
  std::span<const uint8_t> labels;
  std::span<const int32_t> groups;
};

// P(score of a positive > score of a negative), ties count half.
double Auc(std::span<const double> scores, std::span<const uint8_t> labels);

// Per-group AUC, weighted by the group's rows; groups of one class are dropped.
struct GroupAuc {
  double value = 0;
  int64_t groups = 0;  // Non-empty ones.
  int64_t groups_kept = 0;
  int64_t rows_kept = 0;
};
GroupAuc Gauc(const ScoredRows& rows);

// Mean of -log(probability of what happened), probabilities kept 1e-7 from
// 0, 1.
double LogLoss(std::span<const double> scores, std::span<const uint8_t> labels);

struct Calibration {
  double ratio = 0;  // Mean prediction over mean label; 1 is perfect.
  // Expected calibration error: mean |mean prediction - mean label| over
  // `bins`, weighted by rows.
  double error = 0;
  // Bins of equal mass by score, lowest first.
  struct Bin {
    double mean_score = 0;
    double mean_label = 0;
    int64_t rows = 0;
  };
  std::vector<Bin> bins;
};
Calibration Calibrate(std::span<const double> scores,
                      std::span<const uint8_t> labels, int bins = 10);

// 2.5 % and 97.5 % quantiles.
struct Interval {
  double low = 0;
  double high = 0;
};

struct Metrics {
  int64_t rows = 0;
  int64_t positives = 0;
  double auc = 0;
  Interval auc_interval;
  GroupAuc gauc;
  Interval gauc_interval;
  double log_loss = 0;
  Calibration calibration;
};

// All of the above. Each of `bootstrap_samples` draws as many groups as there
// are, with replacement; 0 leaves the intervals NaN. Equal seeds draw equal
// groups, whatever the scores.
Metrics ComputeMetrics(const ScoredRows& rows, int bootstrap_samples,
                       uint64_t seed);

}  // namespace larr
