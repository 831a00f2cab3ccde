// SPDX-License-Identifier: Apache-2.0
//
// What a dataset holds, as `ValidateDataset` found it, and its two printed
// forms.
//
// Units: rates, shares and coverages are in [0, 1]; NaN where undefined.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace larr {

// Label rates of one day, or of one part where there are no days.
struct DayReport {
  std::string date;  // Empty without days.
  std::string part;
  int64_t rows = 0;
  int64_t clicks = 0;
  int64_t orders = 0;
};

// How users or items join.
struct TableReport {
  std::string name;
  int64_t partitions = 0;  // 0: the spec has no such table.
  std::string first_date;  // Empty without days.
  std::string last_date;
  int64_t newest_rows = 0;
  double joined = 0;  // Share of impressions whose key is known.
};

// One keyword or tabular feature, over the sampled impressions.
struct FeatureReport {
  std::string name;
  std::string kind;  // `keyword`, `vocabulary`, `hash`, `buckets` or `dense`
  std::string side;
  double coverage = 0;  // Share of impressions with a value.
  int64_t distinct = 0;
  // The most frequent values and their shares of the impressions with one.
  std::vector<std::pair<std::string, double>> top;
  // Numbers alone: least, quarter, median, three quarters, greatest.
  std::vector<double> quantiles;
  // How well this feature alone ranks clicks, and orders: the label's rate per
  // value (per bin of a number) learned on one half of the sample, AUC on the
  // other. 0.5 says nothing.
  double click_auc = 0;
  double order_auc = 0;
};

// Something to look at before training.
struct Finding {
  bool leak = false;  // Else a warning.
  std::string where;  // `feature past_orders`, `users`, ...
  std::string what;   // What was seen, and the fix.
};

struct DatasetReport {
  std::string name;
  int64_t rows = 0;
  int64_t sampled_rows = 0;
  bool has_orders = false;
  std::vector<DayReport> days;
  std::vector<TableReport> tables;
  std::vector<FeatureReport> features;
  std::vector<Finding> findings;

  bool has_leak() const;
};

// For people: tables of at most 100 columns or so, and the findings last.
std::string ToText(const DatasetReport& report);
// For programs: an object with the fields above; NaN is null.
std::string ToJson(const DatasetReport& report);

}  // namespace larr
