// SPDX-License-Identifier: Apache-2.0
#include "common/dataset/row_check.h"

#include <absl/status/status.h>
#include <fmt/format.h>

#include <string>
#include <unordered_set>
#include <vector>

#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/dataset/cell_place.h"
#include "common/dataset/labels.h"
#include "common/dataset/parquet_reader.h"

namespace larr {
namespace {

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
    LARR_RETURN_IF_ERROR(parquet.ForEachRow(
        {entity->key()},
        [&](const RowGroup& group, int64_t i, int64_t number) -> absl::Status {
          group.column(0).Read(i, value);
          const CellPlace place{file, entity->key(), number};
          if (IsNull(value) || ToText(value).empty()) {
            return WrongCell(
                place,
                "the key is null or empty; remove the row or give it a key");
          }
          if (keys.insert(ToText(value)).second) return absl::OkStatus();
          return WrongCell(
              place,
              fmt::format("the key `{}` is there twice in one partition; keep "
                          "one row for each key",
                          ToText(value)));
        }));
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
    return Invalid(
        "split: the {} part has no row{}; change the split's settings",
        PartName(part),
        days.empty() ? std::string()
                     : fmt::format("; the impressions are from {} to {}",
                                   days.front(), days.back()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<PartCounts> CheckRows(const Dataset& dataset) {
  PartCounts counts = {};
  std::vector<std::string> columns;
  const LabelReader labels(dataset.spec.impressions(), columns);
  const int split_column = static_cast<int>(columns.size());
  if (!dataset.split.by_date()) columns.push_back(dataset.split.column());
  Value value;
  for (const DataFile& file : dataset.impressions) {
    LARR_ASSIGN_OR_RETURN(const ParquetFile parquet,
                          ParquetFile::Open(file.path));
    LARR_RETURN_IF_ERROR(parquet.ForEachRow(
        columns,
        [&](const RowGroup& group, int64_t i, int64_t number) -> absl::Status {
          LARR_RETURN_IF_ERROR(labels.Read(group, i, file, number).status());
          Part part = Part::kAfter;
          if (dataset.split.by_date()) {
            part = dataset.split.OfDate(file.date);
          } else {
            group.column(split_column).Read(i, value);
            part = dataset.split.OfValue(ToText(value));
          }
          ++counts[static_cast<int>(part)];
          return absl::OkStatus();
        }));
  }
  for (const Table table : {Table::kUsers, Table::kPois}) {
    LARR_RETURN_IF_ERROR(CheckKeys(dataset, table));
  }
  LARR_RETURN_IF_ERROR(CheckParts(dataset, counts));
  return counts;
}

}  // namespace larr
