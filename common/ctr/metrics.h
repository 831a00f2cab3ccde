// SPDX-License-Identifier: Apache-2.0
//
// How good scores are: AUC, GAUC, log loss, calibration, with intervals by
// bootstrap over groups. Free of LibTorch.
//
// A metric that does not exist (AUC of one class, a ratio to no positives) is
// NaN.
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/ctr/auc.h"
#include "common/ctr/bootstrap.h"

namespace larr {

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

struct Metrics {
  int64_t rows = 0;
  int64_t positives = 0;
  double auc = 0;
  std::vector<double> auc_replicates;  // By draw.
  Interval auc_interval;               // Of the replicates.
  GroupAuc gauc;
  std::vector<double> gauc_replicates;
  Interval gauc_interval;
  double log_loss = 0;
  Calibration calibration;
};

// All of the above. Without draws there are no replicates, and the intervals
// are NaN. REQUIRES: groups that the draws have.
Metrics ComputeMetrics(const ScoredRows& rows, const GroupDraws& draws);

}  // namespace larr
