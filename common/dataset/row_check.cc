// SPDX-License-Identifier: Apache-2.0
#include "common/dataset/row_check.h"

#include <absl/status/status.h>
#include <fmt/format.h>

#include <string>
#include <unordered_set>
#include <vector>

#include "common/base/status_macros.h"
#include "common/dataset/parquet_reader.h"

namespace larr {
namespace {

// Names a cell in a message. `row` counts from 1 over the whole file.
absl::Status WrongCell(const DataFile& file, std::string_view column,
                       int64_t row, std::string_view what) {
  return absl::InvalidArgumentError(fmt::format(
      "{}: column `{}`, row {}: {}", file.path.string(), column, row, what));
}

// The columns of labels that the spec names, and where they were read.
struct LabelColumns {
  std::vector<std::string> names;
  int click = -1;
  int order = -1;
  int click_probability = -1;
  int ctcvr_probability = -1;
  int split = -1;

  explicit LabelColumns(const Dataset& dataset) {
    const auto& table = dataset.spec.impressions();
    const auto add = [&](const std::string& name, int& index) {
      if (name.empty()) return;
      index = static_cast<int>(names.size());
      names.push_back(name);
    };
    add(table.click_column(), click);
    add(table.order_column(), order);
    add(table.true_click_probability_column(), click_probability);
    add(table.true_ctcvr_probability_column(), ctcvr_probability);
    if (!dataset.split.by_date()) add(dataset.split.column(), split);
  }
};

absl::Status CheckLabel(const DataFile& file, const std::string& name,
                        const ColumnView& column, int64_t i, int64_t row) {
  if (column.IsNull(i)) {
    return WrongCell(file, name, row, "the label is null; write 0 or 1");
  }
  const double value = column.Number(i);
  if (value == 0 || value == 1) return absl::OkStatus();
  return WrongCell(file, name, row,
                   fmt::format("the label is {}; write 0 or 1", value));
}

absl::Status CheckProbability(const DataFile& file, const std::string& name,
                              const ColumnView& column, int64_t i,
                              int64_t row) {
  if (!column.IsNull(i)) {
    const double value = column.Number(i);
    if (value >= 0 && value <= 1) return absl::OkStatus();
    return WrongCell(
        file, name, row,
        fmt::format("the probability is {}; it must be in [0, 1]", value));
  }
  return WrongCell(file, name, row, "the probability is null");
}

absl::Status CheckGroup(const Dataset& dataset, const LabelColumns& columns,
                        const DataFile& file, const RowGroup& group,
                        int64_t first_row, PartCounts& counts) {
  std::string text;
  Value value;
  for (int64_t i = 0; i < group.rows(); ++i) {
    const int64_t row = first_row + i + 1;
    const auto& click = group.column(columns.click);
    LARR_RETURN_IF_ERROR(
        CheckLabel(file, columns.names[columns.click], click, i, row));
    if (columns.order >= 0) {
      const auto& order = group.column(columns.order);
      LARR_RETURN_IF_ERROR(
          CheckLabel(file, columns.names[columns.order], order, i, row));
      if (order.Number(i) == 1 && click.Number(i) == 0) {
        return WrongCell(file, columns.names[columns.order], row,
                         "an order without a click; an ordered row must have "
                         "been clicked");
      }
    }
    for (const int index :
         {columns.click_probability, columns.ctcvr_probability}) {
      if (index < 0) continue;
      LARR_RETURN_IF_ERROR(CheckProbability(file, columns.names[index],
                                            group.column(index), i, row));
    }
    Part part = Part::kAfter;
    if (dataset.split.by_date()) {
      part = dataset.split.OfDate(file.date);
    } else {
      group.column(columns.split).Read(i, value);
      text.clear();
      AppendText(value, text);
      part = dataset.split.OfValue(text);
    }
    ++counts[static_cast<int>(part)];
  }
  return absl::OkStatus();
}

absl::Status CheckKeys(const Dataset& dataset, Table table) {
  const auto* entity = dataset.entity_table(table);
  if (entity == nullptr || entity->from_impressions()) return absl::OkStatus();
  std::unordered_set<std::string> keys;
  std::string date;
  Value value;
  for (const DataFile& file : dataset.files(table)) {
    if (file.date != date) keys.clear();
    date = file.date;
    LARR_ASSIGN_OR_RETURN(const ParquetFile parquet,
                          ParquetFile::Open(file.path));
    int64_t row = 0;
    for (int g = 0; g < parquet.row_groups(); ++g) {
      LARR_ASSIGN_OR_RETURN(const RowGroup group,
                            parquet.Read(g, {entity->key()}));
      for (int64_t i = 0; i < group.rows(); ++i) {
        ++row;
        group.column(0).Read(i, value);
        if (IsNull(value) || ToText(value).empty()) {
          return WrongCell(
              file, entity->key(), row,
              "the key is null or empty; remove the row or give it a key");
        }
        if (!keys.insert(ToText(value)).second) {
          return WrongCell(
              file, entity->key(), row,
              fmt::format("the key `{}` is there twice in one partition; keep "
                          "one row for each key",
                          ToText(value)));
        }
      }
    }
  }
  return absl::OkStatus();
}

absl::Status CheckParts(const Dataset& dataset, const PartCounts& counts) {
  std::vector<Part> parts = {Part::kTrain, Part::kValidation, Part::kTest};
  if (dataset.split.by_date() && dataset.texts.keyword_count() > 0) {
    parts.push_back(Part::kPairs);
  }
  for (const Part part : parts) {
    if (counts[static_cast<int>(part)] > 0) continue;
    const auto days = dataset.days();
    return absl::InvalidArgumentError(fmt::format(
        "split: the {} part has no row{}; change the split's settings",
        PartName(part),
        days.empty() ? std::string()
                     : fmt::format("; the impressions are from {} to {}",
                                   days.front(), days.back())));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<PartCounts> CheckRows(const Dataset& dataset) {
  PartCounts counts = {};
  const LabelColumns columns(dataset);
  for (const DataFile& file : dataset.impressions) {
    LARR_ASSIGN_OR_RETURN(const ParquetFile parquet,
                          ParquetFile::Open(file.path));
    int64_t row = 0;
    for (int g = 0; g < parquet.row_groups(); ++g) {
      LARR_ASSIGN_OR_RETURN(const RowGroup group,
                            parquet.Read(g, columns.names));
      if (group.rows() == 0) continue;
      LARR_RETURN_IF_ERROR(
          CheckGroup(dataset, columns, file, group, row, counts));
      row += group.rows();
    }
  }
  for (const Table table : {Table::kUsers, Table::kPois}) {
    LARR_RETURN_IF_ERROR(CheckKeys(dataset, table));
  }
  LARR_RETURN_IF_ERROR(CheckParts(dataset, counts));
  return counts;
}

}  // namespace larr
