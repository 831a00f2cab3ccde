// SPDX-License-Identifier: Apache-2.0
//
// The labels of impressions, read and checked in one place.
//
// Errors: kInvalidArgument  names file, column, row (from 1), value and fix
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "common/dataset/cell_place.h"
#include "common/dataset/parquet_reader.h"
#include "larr/config/v1/dataset.pb.h"

namespace larr {

struct Labels {
  float click = 0;
  float order = 0;  // 0 where the spec has no such column.
  // NaN where the spec has no such column.
  float true_click_probability = std::numeric_limits<float>::quiet_NaN();
  float true_ctcvr_probability = std::numeric_limits<float>::quiet_NaN();
};

class LabelReader {
 public:
  LabelReader() = default;  // Of no column.
  // Adds the columns of the spec's labels to those that are to be read.
  LabelReader(const config::v1::ImpressionTable& table,
              std::vector<std::string>& columns);

  // Of row `i` of a group that was read with those columns, which is row `row`
  // of its file. Refuses a label that is not 0 or 1, an order without a click,
  // and a probability outside of [0, 1].
  absl::StatusOr<Labels> Read(const RowGroup& group, int64_t i,
                              const DataFile& file, int64_t row) const;

 private:
  struct Column {
    std::string name;
    int index;  // In the group.
    float Labels::*label;
    bool is_probability;
  };
  std::vector<Column> columns_;
};

}  // namespace larr
