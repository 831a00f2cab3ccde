// SPDX-License-Identifier: Apache-2.0
//
// Score requests as people write them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "larr/scoring/v1/scoring_service.pb.h"

namespace larr::ctl {

// Reads the JSON form of a ScoreRequest. Values may be written plainly
// (`"hour": 12`, `"weather": "rain"`, `"poi_name": null`) instead of
// `{"int_value": "12"}`.
// Errors: kInvalidArgument, naming what is wrong.
absl::StatusOr<scoring::v1::ScoreRequest> ParseScoreRequest(
    std::string_view json);

// A value from a command line: `12` is an integer, `1.5` a number, `"12"` and
// all else a string.
storage::v1::Value ParseValue(std::string_view text);

// Adds `column=value` to `values`.
// Errors: kInvalidArgument if there is no `=`.
absl::Status AddColumnValue(
    std::string_view assignment,
    google::protobuf::Map<std::string, storage::v1::Value>& values);

// `POI` or `POI,column=value,...`.
absl::StatusOr<scoring::v1::Candidate> ParseCandidate(std::string_view text);

}  // namespace larr::ctl
