// SPDX-License-Identifier: Apache-2.0
//
// Two ways in which a feature gives itself away: it knows the label, or its
// daily snapshot knows the day that it should only precede.
//
// Threads: one at a time.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/dataset/dataset_report.h"
#include "common/dataset/dataset_spec.h"
#include "common/dataset/impression_stream.h"

namespace larr {

// The AUC of a category's label rate, learned on one half of the rows and
// measured on the other. Categories are small integers. NaN if a half lacks a
// class.
double HeldOutAuc(std::span<const uint32_t> categories,
                  std::span<const uint8_t> labels);

// Finds daily partitions that were written after their day: what a numeric
// column of an entity gained from the last partition to this one should go with
// what happened to it on the day before, not on the day itself.
//
// Feed it every impression in the order of days.
class TimeTravelCheck {
 public:
  // REQUIRES: `dataset` outlives the object. table is kUsers or kPois.
  TimeTravelCheck(const Dataset& dataset, Table table);

  void Add(const Impression& row);
  // One finding for each column that seems to know its own day.
  std::vector<Finding> Finish();

 private:
  enum Outcome { kShown, kClicked, kOrdered, kOutcomes };
  using Counts = std::array<double, kOutcomes>;
  // Sums for a correlation.
  struct Correlation {
    double n = 0, x = 0, y = 0, xx = 0, yy = 0, xy = 0;
    void Add(double a, double b);
    double value() const;
  };
  struct Column {
    int index;  // In the table's schema.
    // By outcome: with the day itself, and with the day before.
    std::array<Correlation, kOutcomes> own;
    std::array<Correlation, kOutcomes> before;
  };
  struct Day {
    std::string date;
    std::shared_ptr<const EntityPartition> partition;  // See Impression.
    std::unordered_map<std::string, Counts> counts;    // By key.
  };

  void EndDay();

  const Dataset* dataset_;
  Table table_;
  std::vector<Column> columns_;
  Day today_;
  Day yesterday_;
};

}  // namespace larr
