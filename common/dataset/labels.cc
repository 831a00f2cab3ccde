// SPDX-License-Identifier: Apache-2.0
#include "common/dataset/labels.h"

#include <absl/status/status.h>
#include <fmt/format.h>

namespace larr {
namespace {

absl::StatusOr<float> ReadLabel(const ColumnView& column, int64_t i,
                                const CellPlace& place) {
  if (column.IsNull(i))
    return WrongCell(place, "the label is null; write 0 or 1");
  const double label = column.Number(i);
  if (label == 0 || label == 1) return static_cast<float>(label);
  return WrongCell(place, fmt::format("the label is {}; write 0 or 1", label));
}

absl::StatusOr<float> ReadProbability(const ColumnView& column, int64_t i,
                                      const CellPlace& place) {
  if (column.IsNull(i)) return WrongCell(place, "the probability is null");
  const double probability = column.Number(i);
  if (probability >= 0 && probability <= 1)
    return static_cast<float>(probability);
  return WrongCell(
      place,
      fmt::format("the probability is {}; it must be in [0, 1]", probability));
}

}  // namespace

LabelReader::LabelReader(const config::v1::ImpressionTable& table,
                         std::vector<std::string>& columns) {
  const auto add = [&](const std::string& name, float Labels::*label,
                       bool is_probability) {
    if (name.empty()) return;
    columns_.push_back(
        {name, static_cast<int>(columns.size()), label, is_probability});
    columns.push_back(name);
  };
  add(table.click_column(), &Labels::click, false);
  add(table.order_column(), &Labels::order, false);
  add(table.true_click_probability_column(), &Labels::true_click_probability,
      true);
  add(table.true_ctcvr_probability_column(), &Labels::true_ctcvr_probability,
      true);
}

absl::StatusOr<Labels> LabelReader::Read(const RowGroup& group, int64_t i,
                                         const DataFile& file,
                                         int64_t row) const {
  Labels labels;
  for (const Column& column : columns_) {
    const CellPlace place{file, column.name, row};
    const ColumnView& view = group.column(column.index);
    const auto value = column.is_probability ? ReadProbability(view, i, place)
                                             : ReadLabel(view, i, place);
    if (!value.ok()) return value.status();
    labels.*column.label = *value;
    if (labels.order > labels.click)
      return WrongCell(place,
                       "an order without a click; an ordered row must have "
                       "been clicked");
  }
  return labels;
}

}  // namespace larr
