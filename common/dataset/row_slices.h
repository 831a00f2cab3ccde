// SPDX-License-Identifier: Apache-2.0
//
// Which slices of its dataset a row is in.
//
// Point in time: a user's or an item's column is that of the partition which
//            the row joined. A row whose user or item is unknown, or whose
//            value is null, is in no slice of that column.
// Threads:   const access is safe from any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/dataset/dataset_spec.h"
#include "common/dataset/impression_stream.h"
#include "common/features/row.h"

namespace larr {

class RowSlices {
 public:
  explicit RowSlices(const Dataset& dataset);

  // In the order of the spec.
  const std::vector<std::string>& names() const { return names_; }
  // REQUIRES: a row of a stream with `slice_columns`
  bool Holds(size_t slice, const Impression& row) const;

 private:
  struct Rule {
    Table table;
    int column;  // Of the table's row.
    std::set<std::string> values;
    std::optional<double> at_least;
    std::optional<double> below;
  };

  std::vector<std::string> names_;
  std::vector<Rule> rules_;
};

}  // namespace larr
