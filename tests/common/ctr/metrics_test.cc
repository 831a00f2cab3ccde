// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/metrics.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <random>

namespace larr {
namespace {

struct Rows {
  std::vector<double> scores;
  std::vector<uint8_t> labels;
  std::vector<int32_t> groups;

  operator ScoredRows() const { return {scores, labels, groups}; }
};

// Scores of few values, so that there are ties.
Rows RandomRows(int count, int values, int groups, uint64_t seed) {
  std::mt19937_64 random(seed);
  Rows rows;
  for (int i = 0; i < count; ++i) {
    const double score =
        static_cast<double>(random() % values + 1) / (values + 1);
    rows.scores.push_back(score);
    rows.labels.push_back(static_cast<double>(random() % 1000) / 1000 < score);
    rows.groups.push_back(static_cast<int32_t>(random() % groups));
  }
  return rows;
}

// By definition: over all pairs of a positive and a negative.
double BruteAuc(const Rows& rows, int group = -1) {
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

TEST_CASE("AUC equals the count over all pairs, ties included") {
  const int values = GENERATE(1, 2, 5, 1000);
  const Rows rows = RandomRows(300, values, 1, 4);
  REQUIRE(Auc(rows.scores, rows.labels) == Approx(BruteAuc(rows)));
}

TEST_CASE("GAUC weights groups by rows and drops those of one class") {
  const Rows rows = RandomRows(300, 7, 60, 5);
  double sum = 0;
  int64_t kept = 0, kept_rows = 0;
  for (int group = 0; group < 60; ++group) {
    const double auc = BruteAuc(rows, group);
    if (std::isnan(auc)) continue;
    const auto size = std::count(rows.groups.begin(), rows.groups.end(), group);
    sum += auc * static_cast<double>(size);
    kept_rows += size;
    ++kept;
  }
  const GroupAuc gauc = Gauc(rows);
  REQUIRE(gauc.value == Approx(sum / static_cast<double>(kept_rows)));
  REQUIRE(gauc.groups_kept == kept);
  REQUIRE(gauc.rows_kept == kept_rows);
  REQUIRE(gauc.groups > kept);
}

TEST_CASE("what does not exist is NaN") {
  const std::vector<double> scores = {0.1, 0.2};
  const std::vector<uint8_t> ones = {1, 1}, zeros = {0, 0};
  const std::vector<int32_t> groups = {0, 1};
  REQUIRE(std::isnan(Auc(scores, ones)));
  REQUIRE(std::isnan(Auc({}, {})));
  REQUIRE(std::isnan(Gauc({scores, zeros, groups}).value));
  REQUIRE(std::isnan(Calibrate(scores, zeros).ratio));
  REQUIRE(std::isnan(LogLoss({}, {})));
  const Metrics empty = ComputeMetrics({}, 10, 1);
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
    const Rows rows = RandomRows(100 * rows_per_group, 50, 100, 6);
    const Metrics metrics = ComputeMetrics(rows, 200, 9);
    REQUIRE(metrics.auc_interval.low < metrics.auc);
    REQUIRE(metrics.auc < metrics.auc_interval.high);
    REQUIRE(metrics.gauc_interval.low < metrics.gauc.value);
    REQUIRE(metrics.gauc.value < metrics.gauc_interval.high);
    REQUIRE(ComputeMetrics(rows, 200, 9).auc_interval.low ==
            metrics.auc_interval.low);
    return metrics.auc_interval.high - metrics.auc_interval.low;
  };
  const double few = width(5), many = width(80);
  REQUIRE(many < few / 2);
}

TEST_CASE("groups are drawn whole: copies of rows do not narrow an interval") {
  Rows rows = RandomRows(400, 50, 40, 6);
  const Metrics once = ComputeMetrics(rows, 200, 9);
  Rows twice = rows;
  for (size_t i = 0; i < rows.scores.size(); ++i) {
    twice.scores.push_back(rows.scores[i]);
    twice.labels.push_back(rows.labels[i]);
    twice.groups.push_back(rows.groups[i]);
  }
  const Metrics doubled = ComputeMetrics(twice, 200, 9);
  REQUIRE(doubled.auc == Approx(once.auc));
  REQUIRE(doubled.auc_interval.low == Approx(once.auc_interval.low));
  REQUIRE(doubled.auc_interval.high == Approx(once.auc_interval.high));
}

}  // namespace
}  // namespace larr
