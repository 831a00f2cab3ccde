// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/metrics.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>

#include "tests/common/ctr/random_rows.h"

namespace larr {
namespace {

using testing::RandomRows;

// Of groups that have their number as key.
GroupDraws Draws(int groups, int draws, uint64_t seed) {
  std::vector<uint64_t> keys(groups);
  std::iota(keys.begin(), keys.end(), 0);
  return {keys, draws, seed};
}

TEST_CASE("what does not exist is NaN") {
  const std::vector<double> scores = {0.1, 0.2};
  const std::vector<uint8_t> zeros = {0, 0};
  REQUIRE(std::isnan(Calibrate(scores, zeros).ratio));
  REQUIRE(std::isnan(LogLoss({}, {})));
  const Metrics empty = ComputeMetrics({}, Draws(0, 10, 1));
  REQUIRE(empty.rows == 0);
  REQUIRE(std::isnan(empty.auc_interval.low));
}

TEST_CASE("log loss, with probabilities kept from 0 and 1") {
  const std::vector<double> scores = {0.25, 0.5, 1.0};
  const std::vector<uint8_t> labels = {0, 1, 0};
  REQUIRE(LogLoss(scores, labels) ==
          Approx((-std::log(0.75) - std::log(0.5) - std::log(1e-7)) / 3));
}

TEST_CASE("calibration by ratio and by bins of equal mass") {
  const std::vector<double> scores = {0.1, 0.3, 0.6, 0.8};
  const std::vector<uint8_t> labels = {0, 1, 1, 1};
  const Calibration calibration = Calibrate(scores, labels, 2);
  REQUIRE(calibration.ratio == Approx(1.8 / 3));
  REQUIRE(calibration.bins.size() == 2);
  REQUIRE(calibration.bins[0].mean_score == Approx(0.2));
  REQUIRE(calibration.bins[0].mean_label == Approx(0.5));
  REQUIRE(calibration.error == Approx(0.5 * 0.3 + 0.5 * 0.3));
}

TEST_CASE("intervals hold the value, are repeatable, and shrink with data") {
  const auto width = [](int rows_per_group) {
    const RandomRows rows(100 * rows_per_group, 50, 100, 6);
    const Metrics metrics = ComputeMetrics(rows, Draws(100, 200, 9));
    REQUIRE(metrics.auc_replicates.size() == 200);
    REQUIRE(metrics.auc_interval.low < metrics.auc);
    REQUIRE(metrics.auc < metrics.auc_interval.high);
    REQUIRE(metrics.gauc_interval.low < metrics.gauc.value);
    REQUIRE(metrics.gauc.value < metrics.gauc_interval.high);
    REQUIRE(ComputeMetrics(rows, Draws(100, 200, 9)).auc_replicates ==
            metrics.auc_replicates);
    return metrics.auc_interval.high - metrics.auc_interval.low;
  };
  const double few = width(5), many = width(80);
  REQUIRE(many < few / 2);
}

TEST_CASE("groups are drawn whole: copies of rows do not narrow an interval") {
  const RandomRows rows(400, 50, 40, 6);
  const Metrics once = ComputeMetrics(rows, Draws(40, 200, 9));
  RandomRows twice = rows;
  for (size_t i = 0; i < rows.scores.size(); ++i)
    twice.Add(rows.scores[i], rows.labels[i], rows.groups[i]);
  const Metrics doubled = ComputeMetrics(twice, Draws(40, 200, 9));
  REQUIRE(doubled.auc == Approx(once.auc));
  REQUIRE(doubled.auc_interval.low == Approx(once.auc_interval.low));
  REQUIRE(doubled.auc_interval.high == Approx(once.auc_interval.high));
}

}  // namespace
}  // namespace larr
