// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/request_checker.h"

#include <fmt/format.h>

#include <cmath>

#include "common/base/status_macros.h"

namespace larr {
namespace {

// The columns that may stand in a map, for an error's message.
std::string Names(const Schema& schema, const std::vector<bool>& of_context,
                  bool context) {
  std::string names;
  for (int i = 0; i < schema.size(); ++i) {
    if (of_context[i] && !context) continue;
    names += (names.empty() ? "" : ", ") + schema.name(i);
  }
  return names.empty() ? "none" : names;
}

// Columns that cannot be strings: those that tabular features or the buckets
// of a context keyword read as numbers.
std::vector<bool> NumberColumns(const config::v1::DatasetSpec& spec,
                                const TabularEncoder& encoder) {
  const Schema& schema = encoder.schemas().impressions;
  std::vector<bool> numbers(schema.size());
  for (int i = 0; i < schema.size(); ++i) {
    Row probe(schema.size());
    probe[i] = std::string("text");
    numbers[i] = !encoder.CheckTypes(Table::kImpressions, probe).ok();
  }
  for (const auto& keyword : spec.keywords()) {
    for (const auto& domain : keyword.domains()) {
      const int column = schema.Find(domain.column());
      if (column >= 0 && domain.edges_size() > 0) numbers[column] = true;
    }
  }
  return numbers;
}

}  // namespace

RequestChecker::RequestChecker(const config::v1::DatasetSpec& spec,
                               const TabularEncoder& encoder)
    : impressions_(encoder.schemas().impressions),
      of_context_(encoder.schemas().impressions_context),
      needs_number_(NumberColumns(spec, encoder)),
      has_pois_(spec.has_pois()) {
  for (int i = 0; i < impressions_.size(); ++i)
    largest_.push_back(encoder.LargestNumber(Table::kImpressions, i));
}

absl::Status RequestChecker::Check(const scoring::v1::ScoreRequest& request,
                                   int max_candidates) const {
  if (request.candidates().empty()) {
    return absl::InvalidArgumentError(
        "candidates: is empty; name at least one POI to score");
  }
  if (request.candidates_size() > max_candidates) {
    return absl::InvalidArgumentError(fmt::format(
        "candidates: {} are more than the {} that this server takes; divide "
        "them between requests",
        request.candidates_size(), max_candidates));
  }
  LARR_RETURN_IF_ERROR(CheckValues(request.context(), true, 0));
  for (int i = 0; i < request.candidates_size(); ++i) {
    const auto& candidate = request.candidates(i);
    if (has_pois_ && candidate.poi_id().empty()) {
      return absl::InvalidArgumentError(
          fmt::format("candidates[{}].poi_id: is empty", i));
    }
    LARR_RETURN_IF_ERROR(CheckValues(candidate.values(), false, i));
  }
  return absl::OkStatus();
}

absl::Status RequestChecker::CheckValues(const ValueMap& values, bool context,
                                         int candidate) const {
  for (const auto& [column, value] : values) {
    const absl::Status status = CheckValue(column, value, context);
    if (status.ok()) continue;
    const std::string map =
        context ? "context" : fmt::format("candidates[{}].values", candidate);
    return absl::InvalidArgumentError(fmt::format(
        "{}[\"{}\"]: {}", map, column, std::string(status.message())));
  }
  return absl::OkStatus();
}

absl::Status RequestChecker::CheckValue(const std::string& column,
                                        const storage::v1::Value& value,
                                        bool context) const {
  const int index = impressions_.Find(column);
  if (index < 0) {
    return absl::InvalidArgumentError(
        fmt::format("the model reads no such column; it reads here: {}",
                    Names(impressions_, of_context_, context)));
  }
  if (of_context_[index] && !context) {
    return absl::InvalidArgumentError(
        "the column belongs to the whole request; give it in context");
  }
  if (value.kind_case() == storage::v1::Value::kDoubleValue &&
      !std::isfinite(value.double_value())) {
    return absl::InvalidArgumentError(fmt::format(
        "{} is not a finite number; leave the value out where it is unknown",
        value.double_value()));
  }
  if (value.kind_case() == storage::v1::Value::kDoubleValue &&
      std::abs(value.double_value()) > largest_[index]) {
    return absl::InvalidArgumentError(fmt::format(
        "{} is too large: the model computes with numbers up to {:.3g} here",
        value.double_value(), largest_[index]));
  }
  if (value.kind_case() == storage::v1::Value::kStringValue &&
      needs_number_[index]) {
    return absl::InvalidArgumentError(
        "is a string; the model needs int_value or double_value");
  }
  return absl::OkStatus();
}

}  // namespace larr
