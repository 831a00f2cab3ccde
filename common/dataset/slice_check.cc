// SPDX-License-Identifier: Apache-2.0
#include "common/dataset/slice_check.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "common/base/invalid_argument.h"
#include "common/base/lower_case_name.h"
#include "common/base/status_macros.h"
#include "common/features/row.h"

namespace larr {
namespace {

using config::v1::Slice;

// What metrics have anyway.
constexpr std::string_view kTaken[] = {"all", "cold", "rare", "frequent",
                                       "sample"};

absl::Status CheckSliceName(const std::string& name) {
  if (!IsLowerCaseName(name))
    return Invalid(
        "slices: the name `{}` is not made of lower-case letters, digits and "
        "`-`",
        name);
  if (std::count(std::begin(kTaken), std::end(kTaken), name) > 0)
    return Invalid(
        "slice {}: metrics use this name already; give it another one", name);
  return absl::OkStatus();
}

absl::Status CheckSliceRange(const Slice& slice) {
  const bool range = slice.has_at_least() || slice.has_below();
  if (slice.values().empty() != range)
    return Invalid(
        "slice {}: set either values, or at_least, below or both of them",
        slice.name());
  if (!std::isfinite(slice.at_least()) || !std::isfinite(slice.below()))
    return Invalid("slice {}: at_least {} and below {} must be finite",
                   slice.name(), slice.at_least(), slice.below());
  if (slice.has_at_least() && slice.has_below() &&
      slice.at_least() >= slice.below())
    return Invalid("slice {}: at_least {} is not less than below {}",
                   slice.name(), slice.at_least(), slice.below());
  return absl::OkStatus();
}

// As a whole number is written where it becomes text.
bool IsInteger(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() &&
         ToText(number) == text;
}

}  // namespace

absl::Status CheckSlices(const config::v1::DatasetSpec& spec) {
  std::set<std::string> names;
  for (const Slice& slice : spec.slices()) {
    LARR_RETURN_IF_ERROR(CheckSliceName(slice.name()));
    if (!names.insert(slice.name()).second)
      return Invalid("slice {}: the name is there twice", slice.name());
    if (!ParseCrossColumn(slice.column()))
      return Invalid(
          "slice {}: column `{}` names no table; write users.x, pois.x or "
          "impressions.x",
          slice.name(), slice.column());
    LARR_RETURN_IF_ERROR(CheckSliceRange(slice));
  }
  return absl::OkStatus();
}

absl::Status CheckSliceColumn(const Slice& slice, const ColumnInfo& column,
                              const std::filesystem::path& file) {
  const bool has_values = !slice.values().empty();
  if (has_values && column.type == ColumnType::kNumber)
    return Invalid(
        "{}: slice {} names values, but column `{}` is a {}; set at_least and "
        "below instead",
        file.string(), slice.name(), column.name, column.type_name);
  if (!has_values && column.type == ColumnType::kString)
    return Invalid(
        "{}: slice {} has a range, but column `{}` is a {}; name its values "
        "instead",
        file.string(), slice.name(), column.name, column.type_name);
  if (column.type != ColumnType::kInteger) return absl::OkStatus();
  for (const std::string& value : slice.values()) {
    if (IsInteger(value)) continue;
    return Invalid(
        "{}: slice {}: no value of column `{}` of type {} is `{}`; write whole "
        "numbers, 0 and 1 for booleans",
        file.string(), slice.name(), column.name, column.type_name, value);
  }
  return absl::OkStatus();
}

}  // namespace larr
