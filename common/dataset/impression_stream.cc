// SPDX-License-Identifier: Apache-2.0
#include "common/dataset/impression_stream.h"

#include <absl/status/status.h>

#include <algorithm>
#include <utility>

#include "common/base/status_macros.h"
#include "common/dataset/malformed_text.h"

namespace larr {
namespace {

// Fisher-Yates with the same result on every platform.
template <typename Iterator>
void Shuffle(Iterator begin, Iterator end, std::mt19937_64& random) {
  for (auto n = end - begin; n > 1; --n) {
    std::swap(begin[n - 1],
              begin[static_cast<int64_t>(random() % static_cast<uint64_t>(n))]);
  }
}

// The text of a cell, into the string's own memory.
void ReadText(const RowGroup& group, int column, int64_t i, Value& scratch,
              std::string& out) {
  out.clear();
  if (column < 0) return;
  const ColumnView& view = group.column(column);
  if (view.IsNull(i)) return;
  if (view.type() == ColumnType::kString) {
    out.assign(view.String(i));
    return;
  }
  view.Read(i, scratch);
  AppendText(scratch, out);
}

}  // namespace

ImpressionStream::ImpressionStream(const Dataset& dataset,
                                   const ImpressionStreamOptions& options)
    : dataset_(&dataset),
      options_(options),
      users_(dataset, Table::kUsers, options.slice_columns),
      pois_(dataset, Table::kPois, options.slice_columns) {
  if (options_.seed) random_.seed(*options_.seed);
}

absl::StatusOr<ImpressionStream> ImpressionStream::Open(
    const Dataset& dataset, const ImpressionStreamOptions& options) {
  if (options.shuffle_rows > 0 && !options.seed) {
    return absl::InvalidArgumentError("shuffle_rows needs a seed");
  }
  ImpressionStream stream(dataset, options);
  stream.NameColumns();
  LARR_RETURN_IF_ERROR(stream.ListUnits());
  if (options.seed) stream.ShuffleUnits();
  Impression skipped;
  while (stream.position_ < options.skip_rows) {
    LARR_ASSIGN_OR_RETURN(const bool more, stream.Next(skipped));
    if (!more) break;
  }
  return stream;
}

void ImpressionStream::NameColumns() {
  const auto& table = dataset_->spec.impressions();
  names_ = options_.slice_columns
               ? dataset_->slice_schema(Table::kImpressions).names()
               : dataset_->schemas().impressions.names();
  value_columns_ = static_cast<int>(names_.size());
  for (const std::string& name : names_)
    is_key_.push_back(name == table.user_key() || name == table.poi_key());
  const auto add = [&](const std::string& name, int& index) {
    if (name.empty()) return;
    index = static_cast<int>(names_.size());
    names_.push_back(name);
  };
  add(table.user_key(), keys_.user);
  add(table.poi_key(), keys_.poi);
  add(table.request_key(), keys_.request);
  add(dataset_->spec.gauc_group_column(), keys_.group);
  labels_ = LabelReader(table, names_);
  if (!dataset_->split.by_date()) add(dataset_->split.column(), keys_.split);
}

absl::Status ImpressionStream::ListUnits() {
  const Splitter& split = dataset_->split;
  const auto& files = dataset_->impressions;
  int64_t rows = 0;
  for (size_t f = 0; f < files.size(); ++f) {
    if (split.by_date() &&
        !split.Wanted(split.OfDate(files[f].date), options_.part)) {
      continue;
    }
    LARR_ASSIGN_OR_RETURN(const ParquetFile file,
                          ParquetFile::Open(files[f].path));
    for (int g = 0; g < file.row_groups(); ++g) {
      units_.push_back({static_cast<int>(f), g, file.rows_of(g)});
      rows += file.rows_of(g);
    }
  }
  if (split.by_date()) {
    total_rows_ =
        options_.max_rows > 0 ? std::min(rows, options_.max_rows) : rows;
  }
  return absl::OkStatus();
}

void ImpressionStream::ShuffleUnits() {
  const auto& files = dataset_->impressions;
  std::vector<std::vector<Unit>> days;
  for (const Unit& unit : units_) {
    if (days.empty() ||
        files[unit.file].date != files[days.back()[0].file].date) {
      days.emplace_back();
    }
    days.back().push_back(unit);
  }
  Shuffle(days.begin(), days.end(), random_);
  units_.clear();
  for (auto& day : days) {
    Shuffle(day.begin(), day.end(), random_);
    units_.insert(units_.end(), day.begin(), day.end());
  }
}

absl::Status ImpressionStream::OpenUnit() {
  const Unit unit = units_[next_unit_++];
  const DataFile& data_file = dataset_->impressions[unit.file];
  if (open_file_ != unit.file) {
    LARR_ASSIGN_OR_RETURN(file_, ParquetFile::Open(data_file.path));
    open_file_ = unit.file;
  }
  LARR_ASSIGN_OR_RETURN(group_, file_->Read(unit.group, names_));
  LARR_ASSIGN_OR_RETURN(users_now_, users_.At(data_file.date));
  LARR_ASSIGN_OR_RETURN(pois_now_, pois_.At(data_file.date));
  group_row_ = 0;
  group_first_row_ = 0;
  for (int g = 0; g < unit.group; ++g) group_first_row_ += file_->rows_of(g);
  return absl::OkStatus();
}

bool ImpressionStream::IsWanted(int64_t i) {
  if (keys_.split < 0) return true;
  ReadText(group_, keys_.split, i, scratch_, split_text_);
  return dataset_->split.Wanted(dataset_->split.OfValue(split_text_),
                                options_.part);
}

absl::Status ImpressionStream::Fill(int64_t i, Impression& row) {
  const DataFile& file = dataset_->impressions[open_file_];
  const int64_t file_row = group_first_row_ + i + 1;
  row.date = file.date;
  const auto check = [&](int column, auto& text) {
    return MakeUtf8(dataset_->spec, {file, names_[column], file_row}, text);
  };
  const std::pair<int, std::string*> keys[] = {{keys_.user, &row.user_id},
                                               {keys_.poi, &row.poi_id},
                                               {keys_.request, &row.request_id},
                                               {keys_.group, &row.group}};
  for (const auto& [column, text] : keys) {
    ReadText(group_, column, i, scratch_, *text);
    if (column >= 0) LARR_RETURN_IF_ERROR(check(column, *text));
  }
  row.values.resize(value_columns_);
  for (int c = 0; c < value_columns_; ++c) {
    group_.column(c).Read(i, row.values[c]);
    LARR_RETURN_IF_ERROR(check(c, row.values[c]));
    // As in a request, an empty key is nobody's.
    if (is_key_[c] && row.values[c] == Value("")) row.values[c] = Value();
  }
  row.users = users_now_;
  row.pois = pois_now_;
  row.user_index = users_now_ ? users_now_->Find(row.user_id) : -1;
  row.poi_index = pois_now_ ? pois_now_->Find(row.poi_id) : -1;
  LARR_ASSIGN_OR_RETURN(const Labels labels,
                        labels_.Read(group_, i, file, file_row));
  row.click = labels.click;
  row.order = labels.order;
  row.true_click_probability = labels.true_click_probability;
  row.true_ctcvr_probability = labels.true_ctcvr_probability;
  return absl::OkStatus();
}

absl::StatusOr<bool> ImpressionStream::ReadNext(Impression& row) {
  while (true) {
    while (group_row_ >= group_.rows()) {
      if (next_unit_ == units_.size()) return false;
      LARR_RETURN_IF_ERROR(OpenUnit());
    }
    const int64_t i = group_row_++;
    if (!IsWanted(i)) continue;
    LARR_RETURN_IF_ERROR(Fill(i, row));
    return true;
  }
}

absl::StatusOr<bool> ImpressionStream::ShuffledNext(Impression& row) {
  while (!drained_ &&
         static_cast<int64_t>(buffer_.size()) < options_.shuffle_rows) {
    Impression next;
    LARR_ASSIGN_OR_RETURN(const bool more, ReadNext(next));
    if (more) buffer_.push_back(std::move(next));
    drained_ = !more;
  }
  if (buffer_.empty()) return false;
  Impression& slot = buffer_[random_() % buffer_.size()];
  std::swap(row, slot);
  if (!drained_) {
    LARR_ASSIGN_OR_RETURN(const bool more, ReadNext(slot));
    drained_ = !more;
  }
  if (drained_) {
    std::swap(slot, buffer_.back());
    buffer_.pop_back();
  }
  return true;
}

absl::StatusOr<bool> ImpressionStream::Next(Impression& row) {
  if (options_.max_rows > 0 && position_ >= options_.max_rows) return false;
  LARR_ASSIGN_OR_RETURN(const bool more, options_.shuffle_rows > 0
                                             ? ShuffledNext(row)
                                             : ReadNext(row));
  position_ += more ? 1 : 0;
  return more;
}

}  // namespace larr
