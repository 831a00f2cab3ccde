// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/request_checker.h"

#include <fmt/format.h>

#include <cmath>

#include "common/base/status_macros.h"
#include "common/rpc/grpc_status.h"

namespace larr {
namespace {

using scoring::v1::CTCVR;
using scoring::v1::CTR;
using scoring::v1::Output;
using scoring::v1::ScoreRequest;

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

std::string PathOf(std::string_view map, const std::string& key) {
  return fmt::format("{}[\"{}\"]", map, key);
}

}  // namespace

RequestChecker::RequestChecker(
    const config::v1::CtrModelDescription& description,
    const TabularEncoder& encoder)
    : impressions_(encoder.schemas().impressions),
      of_context_(encoder.schemas().impressions_context),
      needs_number_(NumberColumns(description.dataset(), encoder)),
      has_pois_(description.dataset().has_pois()),
      has_order_task_(description.has_order_task()) {
  for (int i = 0; i < impressions_.size(); ++i)
    largest_.push_back(encoder.LargestNumber(Table::kImpressions, i));
  for (const auto& keyword : description.dataset().keywords())
    for (const std::string& name : description.dataset().scene_features())
      if (keyword.name() == name)
        texts_[name] = keyword.side() == config::v1::POI;
}

absl::Status RequestChecker::Check(const ScoreRequest& request,
                                   int max_candidates) const {
  const int count = request.candidates_size();
  if (count == 0) {
    return InvalidField("candidates",
                        "is empty; name at least one POI to score");
  }
  if (count > max_candidates) {
    return InvalidField("candidates",
                        fmt::format("{} are more than the {} that this server "
                                    "takes; divide them between requests",
                                    count, max_candidates));
  }
  LARR_RETURN_IF_ERROR(CheckOutputs(request));
  if (request.has_explain_candidate() &&
      (request.explain_candidate() < 0 ||
       request.explain_candidate() >= count)) {
    return InvalidField(
        "explain_candidate",
        fmt::format("{} is not the index of one of the {} candidates",
                    request.explain_candidate(), count));
  }
  LARR_RETURN_IF_ERROR(CheckValues("context", request.context(), true));
  LARR_RETURN_IF_ERROR(CheckTexts("texts", request.texts(), false));
  for (int i = 0; i < count; ++i) {
    const auto& candidate = request.candidates(i);
    if (has_pois_ && candidate.poi_id().empty())
      return InvalidField(fmt::format("candidates[{}].poi_id", i), "is empty");
    if (!candidate.values().empty())
      LARR_RETURN_IF_ERROR(CheckValues(fmt::format("candidates[{}].values", i),
                                       candidate.values(), false));
    if (!candidate.texts().empty())
      LARR_RETURN_IF_ERROR(CheckTexts(fmt::format("candidates[{}].texts", i),
                                      candidate.texts(), true));
  }
  return absl::OkStatus();
}

absl::Status RequestChecker::CheckOutputs(const ScoreRequest& request) const {
  if (request.top_k() < 0) {
    return InvalidField("top_k",
                        fmt::format("{} is negative; 0 asks for all candidates",
                                    request.top_k()));
  }
  const auto fault_of = [&](Output output) -> std::string {
    if (output != CTR && output != CTCVR)
      return fmt::format("{} is neither CTR nor CTCVR",
                         static_cast<int>(output));
    if (output == CTCVR && !has_order_task_)
      return "the model has no order task; ask for CTR";
    return "";
  };
  for (int i = 0; i < request.outputs_size(); ++i) {
    const std::string fault = fault_of(request.outputs(i));
    if (!fault.empty())
      return InvalidField(fmt::format("outputs[{}]", i), fault);
  }
  if (request.order_by() == scoring::v1::OUTPUT_UNSPECIFIED)
    return absl::OkStatus();
  const std::string fault = fault_of(request.order_by());
  return fault.empty() ? absl::OkStatus() : InvalidField("order_by", fault);
}

absl::Status RequestChecker::CheckValues(std::string_view path,
                                         const ValueMap& values,
                                         bool context) const {
  for (const auto& [column, value] : values) {
    const std::string fault = FaultOf(column, value, context);
    if (!fault.empty()) return InvalidField(PathOf(path, column), fault);
  }
  return absl::OkStatus();
}

std::string RequestChecker::FaultOf(const std::string& column,
                                    const storage::v1::Value& value,
                                    bool context) const {
  const int index = impressions_.Find(column);
  if (index < 0) {
    return fmt::format("the model reads no such column; it reads here: {}",
                       Names(impressions_, of_context_, context));
  }
  if (of_context_[index] && !context)
    return "the column belongs to the whole request; give it in context";
  const double number = value.double_value();
  if (!std::isfinite(number)) {
    return fmt::format(
        "{} is not a finite number; leave the value out where it is unknown",
        number);
  }
  if (std::abs(number) > largest_[index]) {
    return fmt::format(
        "{} is too large: the model computes with numbers up to {:.3g} here",
        number, largest_[index]);
  }
  if (value.has_string_value() && needs_number_[index])
    return "is a string; the model needs int_value or double_value";
  return "";
}

absl::Status RequestChecker::CheckTexts(std::string_view path,
                                        const TextMap& texts, bool poi) const {
  for (const auto& [feature, text] : texts) {
    const auto found = texts_.find(feature);
    if (found == texts_.end() || found->second != poi) {
      std::string names;
      for (const auto& [name, of_poi] : texts_)
        if (of_poi == poi) names += (names.empty() ? "" : ", ") + name;
      return InvalidField(
          PathOf(path, feature),
          fmt::format("the model reads no such scene feature; it reads here: "
                      "{}",
                      names.empty() ? "none" : names));
    }
    if (text.empty()) {
      return InvalidField(PathOf(path, feature),
                          "is empty; leave it out for the text that is stored");
    }
  }
  return absl::OkStatus();
}

}  // namespace larr
