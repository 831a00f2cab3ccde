// SPDX-License-Identifier: Apache-2.0
#include "services/stage/p5_text.h"

#include <fmt/format.h>

#include <cmath>
#include <iterator>
#include <map>
#include <set>
#include <string_view>
#include <utility>
#include <variant>

#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/dataset/dataset_texts.h"
#include "common/features/text_renderer.h"

namespace larr::stage {
namespace {

void AppendValue(const Value& value, std::string& out) {
  if (IsNull(value)) return;
  const double* number = std::get_if<double>(&value);
  if (number == nullptr || *number == std::trunc(*number))
    return AppendText(value, out);
  if (std::abs(*number) < 999.5) {
    fmt::format_to(std::back_inserter(out), "{:.3g}", *number);
  } else {  // Three digits would be an exponent.
    fmt::format_to(std::back_inserter(out), "{:.0f}", *number);
  }
}

void AppendNamed(std::string_view name, std::string_view value,
                 std::string& out) {
  if (value.empty()) return;
  if (!out.empty()) out += ' ';
  fmt::format_to(std::back_inserter(out), "{}: {}", name, value);
}

absl::Status Lacks(const Dataset& dataset, std::string_view what,
                   std::string_view name) {
  return Invalid(
      "the model reads the {} `{}`, which dataset \"{}\" does not have; train "
      "the model again",
      what, name, dataset.spec.name());
}

}  // namespace

absl::StatusOr<P5Text> P5Text::Create(const Dataset& dataset,
                                      const config::v1::DatasetSpec& spec) {
  P5Text text(dataset);
  LARR_RETURN_IF_ERROR(text.AddColumns(spec));
  LARR_RETURN_IF_ERROR(text.AddTexts(spec));
  return text;
}

absl::Status P5Text::AddColumns(const config::v1::DatasetSpec& spec) {
  using Key = std::pair<Table, std::string>;
  std::map<Key, std::string> names;
  for (const auto& feature : spec.tabular_features()) {
    const auto columns = FeatureColumns(feature);
    if (columns.size() == 1)
      names.try_emplace({columns[0].table, columns[0].column}, feature.name());
  }
  std::set<Key> told;
  for (const auto& feature : spec.tabular_features()) {
    for (const ColumnRef& ref : FeatureColumns(feature)) {
      if (!told.insert({ref.table, ref.column}).second) continue;
      const int column = dataset_->schemas().of(ref.table).Find(ref.column);
      if (column < 0) return Lacks(*dataset_, "column", ref.column);
      const auto name = names.find({ref.table, ref.column});
      columns_.push_back(
          {name == names.end()
               ? fmt::format("{}.{}", TableName(ref.table), ref.column)
               : name->second,
           ref.table, column});
    }
  }
  return absl::OkStatus();
}

absl::Status P5Text::AddTexts(const config::v1::DatasetSpec& spec) {
  for (const std::string& name : spec.scene_features()) {
    const size_t before = keywords_.size();
    for (const int keyword : dataset_->texts.scene_features())
      if (dataset_->texts.name(keyword) == name) keywords_.push_back(keyword);
    if (keywords_.size() == before)
      return Lacks(*dataset_, "scene feature", name);
  }
  return absl::OkStatus();
}

std::string P5Text::Of(const FeatureRows& rows) const {
  std::string text, value;
  for (const Column& column : columns_) {
    const Row* row = rows.of(column.table);
    if (row == nullptr) continue;
    value.clear();
    AppendValue((*row)[column.column], value);
    AppendNamed(column.name, value, text);
  }
  for (const int keyword : keywords_) {
    const TextRenderer& texts = dataset_->texts;
    const Row* row = rows.of(TableOf(texts.side(keyword)));
    if (row == nullptr) continue;
    const std::string slot = texts.Render(keyword, *row);
    AppendNamed(texts.name(keyword), SplitSlot(slot).text, text);
  }
  return text;
}

}  // namespace larr::stage
