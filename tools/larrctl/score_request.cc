// SPDX-License-Identifier: Apache-2.0
#include "tools/larrctl/score_request.h"

#include <google/protobuf/util/json_util.h>

#include <nlohmann/json.hpp>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"

namespace larr::ctl {
namespace {

using nlohmann::json;

// Wraps the plain values of an object in the JSON form of storage.v1.Value.
void WrapValues(json& values) {
  if (!values.is_object()) return;  // the protobuf parser will say so
  for (json& value : values) {
    if (value.is_number_integer()) {
      value = json{{"int_value", value}};
    } else if (value.is_number()) {
      value = json{{"double_value", value}};
    } else if (value.is_string()) {
      value = json{{"string_value", value}};
    } else if (value.is_null()) {
      value = json::object();
    }
  }
}

}  // namespace

absl::StatusOr<scoring::v1::ScoreRequest> ParseScoreRequest(
    std::string_view text) {
  json request = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!request.is_object()) {
    return absl::InvalidArgumentError("the request is not a JSON object");
  }
  if (request.contains("context")) WrapValues(request["context"]);
  if (request.contains("candidates") && request["candidates"].is_array()) {
    for (json& candidate : request["candidates"]) {
      if (candidate.is_object() && candidate.contains("values")) {
        WrapValues(candidate["values"]);
      }
    }
  }
  scoring::v1::ScoreRequest message;
  const auto status =
      google::protobuf::util::JsonStringToMessage(request.dump(), &message);
  if (!status.ok()) {
    return Invalid("the request is not a ScoreRequest: {}",
                   std::string(status.message()));
  }
  return message;
}

storage::v1::Value ParseValue(std::string_view text) {
  storage::v1::Value value;
  const std::string plain(text);
  int64_t integer = 0;
  double number = 0;
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
    value.set_string_value(plain.substr(1, plain.size() - 2));
  } else if (absl::SimpleAtoi(plain, &integer)) {
    value.set_int_value(integer);
  } else if (absl::SimpleAtod(plain, &number)) {
    value.set_double_value(number);
  } else {
    value.set_string_value(plain);
  }
  return value;
}

absl::Status AddColumnValue(
    std::string_view assignment,
    google::protobuf::Map<std::string, storage::v1::Value>& values) {
  const size_t equals = assignment.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    return Invalid("'{}' is not column=value, e.g. hour=12", assignment);
  }
  values[std::string(assignment.substr(0, equals))] =
      ParseValue(assignment.substr(equals + 1));
  return absl::OkStatus();
}

absl::StatusOr<scoring::v1::Candidate> ParseCandidate(std::string_view text) {
  const std::vector<std::string> parts = absl::StrSplit(std::string(text), ',');
  scoring::v1::Candidate candidate;
  candidate.set_poi_id(parts[0]);
  for (size_t i = 1; i < parts.size(); ++i) {
    LARR_RETURN_IF_ERROR(AddColumnValue(parts[i], *candidate.mutable_values()));
  }
  return candidate;
}

}  // namespace larr::ctl
