// SPDX-License-Identifier: Apache-2.0
#include "common/dataset/split.h"

#include <absl/status/status.h>
#include <xxhash.h>

#include "common/base/date.h"
#include "common/base/invalid_argument.h"
#include "common/base/random_bits.h"
#include "common/base/status_macros.h"

namespace larr {
namespace {

using config::v1::Split;

absl::Status CheckDates(const config::v1::DateSplit& dates) {
  const std::pair<const char*, const std::string&> days[] = {
      {"pairs_begin", dates.pairs_begin()},
      {"train_begin", dates.train_begin()},
      {"validation_begin", dates.validation_begin()},
      {"test_begin", dates.test_begin()},
      {"end", dates.end()}};
  std::string previous;
  for (const auto& [name, day] : days) {
    if (day.empty() && std::string_view(name) == "end") continue;
    if (!IsDate(day)) {
      return Invalid("split.dates.{}: `{}` is not a date; write YYYY-MM-DD",
                     name, day);
    }
    if (day <= previous) {
      return Invalid(
          "split.dates.{}: {} is not after {}, so the part before it is empty; "
          "use a later day",
          name, day, previous);
    }
    previous = day;
  }
  return absl::OkStatus();
}

absl::Status CheckHash(const config::v1::HashSplit& hash) {
  if (hash.column().empty()) {
    return absl::InvalidArgumentError("split.hash.column is missing");
  }
  const double validation = hash.validation_fraction();
  const double test = hash.test_fraction();
  if (!(validation > 0 && test > 0 && validation + test < 1)) {
    return Invalid(
        "split.hash: validation_fraction {} and test_fraction {} must be "
        "positive and leave a part for training",
        validation, test);
  }
  return absl::OkStatus();
}

absl::Status CheckColumn(const config::v1::ColumnSplit& column) {
  if (column.column().empty()) {
    return absl::InvalidArgumentError("split.column.column is missing");
  }
  if (column.train_value() == column.validation_value() ||
      column.train_value() == column.test_value() ||
      column.validation_value() == column.test_value()) {
    return Invalid(
        "split.column: train_value `{}`, validation_value `{}` and test_value "
        "`{}` must differ",
        column.train_value(), column.validation_value(), column.test_value());
  }
  return absl::OkStatus();
}

}  // namespace

std::string_view PartName(Part part) {
  constexpr std::string_view kNames[] = {"history",    "pairs", "train",
                                         "validation", "test",  "after"};
  return kNames[static_cast<int>(part)];
}

absl::StatusOr<Splitter> Splitter::Create(const Split& split) {
  switch (split.by_case()) {
    case Split::kDates:
      LARR_RETURN_IF_ERROR(CheckDates(split.dates()));
      break;
    case Split::kHash:
      LARR_RETURN_IF_ERROR(CheckHash(split.hash()));
      break;
    case Split::kColumn:
      LARR_RETURN_IF_ERROR(CheckColumn(split.column()));
      break;
    case Split::BY_NOT_SET:
      return absl::InvalidArgumentError(
          "split is missing; set one of dates, hash or column");
  }
  return Splitter(split);
}

const std::string& Splitter::column() const {
  return split_.has_hash() ? split_.hash().column() : split_.column().column();
}

Part Splitter::OfDate(std::string_view date) const {
  const auto& dates = split_.dates();
  if (date < dates.pairs_begin()) return Part::kHistory;
  if (date < dates.train_begin()) return Part::kPairs;
  if (date < dates.validation_begin()) return Part::kTrain;
  if (date < dates.test_begin()) return Part::kValidation;
  if (dates.end().empty() || date < dates.end()) return Part::kTest;
  return Part::kAfter;
}

Part Splitter::OfValue(std::string_view value) const {
  if (split_.has_column()) {
    if (value == split_.column().train_value()) return Part::kTrain;
    if (value == split_.column().validation_value()) return Part::kValidation;
    if (value == split_.column().test_value()) return Part::kTest;
    return Part::kAfter;
  }
  const auto& hash = split_.hash();
  const uint64_t bits =
      XXH3_64bits_withSeed(value.data(), value.size(), hash.seed());
  const double place = UnitFraction(bits);
  if (place < hash.test_fraction()) return Part::kTest;
  if (place < hash.test_fraction() + hash.validation_fraction()) {
    return Part::kValidation;
  }
  return Part::kTrain;
}

bool Splitter::Wanted(Part of, Part wanted) const {
  if (wanted == Part::kPairs && !by_date()) wanted = Part::kTrain;
  return of == wanted;
}

}  // namespace larr
