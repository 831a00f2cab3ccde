// SPDX-License-Identifier: Apache-2.0
#include "common/dataset/entity_snapshots.h"

#include <absl/status/status.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <unordered_set>
#include <utility>

#include "common/base/status_macros.h"
#include "common/dataset/cell_place.h"
#include "common/dataset/malformed_text.h"
#include "common/dataset/parquet_reader.h"

namespace larr {
namespace {

// A number that is not one is null (IsNull), and so equal to itself.
bool SameCells(const Row& a, const Row& b) {
  return std::ranges::equal(a, b, [](const Value& x, const Value& y) {
    return x == y || (IsNull(x) && IsNull(y));
  });
}

}  // namespace

int64_t EntityPartition::Find(std::string_view key) const {
  const auto found = index_.find(key);
  return found == index_.end() ? -1 : found->second;
}

EntitySnapshots::EntitySnapshots(const Dataset& dataset, Table table,
                                 bool slice_columns)
    : dataset_(&dataset),
      table_(table),
      schema_(slice_columns ? dataset.slice_schema(table)
                            : dataset.schemas().of(table)) {
  std::set<std::string> dates;
  for (const DataFile& file : dataset.files(table)) dates.insert(file.date);
  dates_.assign(dates.begin(), dates.end());
}

const std::string* EntitySnapshots::DateAt(std::string_view day) const {
  const auto later = std::upper_bound(dates_.begin(), dates_.end(), day);
  return later == dates_.begin() ? nullptr : &*(later - 1);
}

const std::string* EntitySnapshots::DateBefore(std::string_view day) const {
  const auto later = std::lower_bound(dates_.begin(), dates_.end(), day);
  return later == dates_.begin() ? nullptr : &*(later - 1);
}

absl::StatusOr<std::shared_ptr<const EntityPartition>> EntitySnapshots::At(
    std::string_view day) {
  const std::string* date = DateAt(day);
  if (date == nullptr) return std::shared_ptr<const EntityPartition>();
  if (cache_[0] && cache_[0]->date() == *date) return cache_[0];
  std::swap(cache_[0], cache_[1]);
  if (cache_[0] && cache_[0]->date() == *date) return cache_[0];
  LARR_ASSIGN_OR_RETURN(cache_[0], Load(*date));
  return cache_[0];
}

absl::StatusOr<std::shared_ptr<const EntityPartition>>
EntitySnapshots::Newest() {
  if (!present()) return std::shared_ptr<const EntityPartition>();
  return At(dates_.back());
}

absl::StatusOr<std::shared_ptr<const EntityPartition>> EntitySnapshots::Load(
    const std::string& date) const {
  auto partition = std::make_shared<EntityPartition>();
  partition->date_ = date;
  for (const DataFile& file : dataset_->files(table_)) {
    if (file.date != date) continue;
    LARR_RETURN_IF_ERROR(LoadFile(file, *partition));
  }
  return partition;
}

absl::Status EntitySnapshots::LoadFile(const DataFile& file,
                                       EntityPartition& into) const {
  const auto& entity = *dataset_->entity_table(table_);
  std::vector<std::string> names = schema_.names();
  names.push_back(entity.key());
  LARR_ASSIGN_OR_RETURN(const ParquetFile parquet,
                        ParquetFile::Open(file.path));
  std::unordered_set<int64_t> contradicted;
  Value key;
  Row row(schema_.size());
  const auto add = [&](const RowGroup& group, int64_t i,
                       int64_t file_row) -> absl::Status {
    group.column(schema_.size()).Read(i, key);
    LARR_RETURN_IF_ERROR(
        MakeUtf8(dataset_->spec, {file, entity.key(), file_row}, key));
    const std::string text = ToText(key);
    const int64_t known = into.Find(text);
    const bool nobody = IsNull(key) || text.empty();
    if (!entity.from_impressions() && (nobody || known >= 0)) {
      return WrongCell(
          {file, entity.key(), file_row},
          fmt::format(
              "the key `{}` is {}; keep one row for each key", text,
              known >= 0 ? "there twice in one partition" : "null or empty"));
    }
    if (nobody) return absl::OkStatus();
    for (int c = 0; c < schema_.size(); ++c) {
      group.column(c).Read(i, row[c]);
      LARR_RETURN_IF_ERROR(
          MakeUtf8(dataset_->spec, {file, names[c], file_row}, row[c]));
    }
    if (known < 0) {
      into.keys_.push_back(text);
      into.rows_.push_back(row);
      into.index_.emplace(text, into.size() - 1);
    } else if (!SameCells(row, into.rows_[known])) {
      contradicted.insert(known);
    }
    return absl::OkStatus();
  };
  LARR_RETURN_IF_ERROR(parquet.ForEachRow(names, add));
  into.contradictions_ += static_cast<int64_t>(contradicted.size());
  return absl::OkStatus();
}

}  // namespace larr
