// SPDX-License-Identifier: Apache-2.0
//
// Scores one request with one bundle. Free of gRPC.
//
// Threads:    may be called concurrently, also on one bundle.
#pragma once

#include "absl/status/statusor.h"
#include "common/ctr/scorer_input.h"
#include "larr/scoring/v1/scoring_service.pb.h"
#include "services/scoring/request_encoder.h"

namespace larr {

class Bundle;

// What a request took.
struct RequestCounts {
  int pois = 0;  // Distinct ones; each with texts of its own is one more.
  int prepared_pois = 0;  // Those that no request before had left ready.
  MissingInputs missing;
  ScorerOutput scores;  // Of all candidates, by index.
};

// Fills `response`.
//
// REQUIRES: the request passed the bundle's checker
// Errors:   those of Snapshot's reads; kInternal if LibTorch failed
absl::StatusOr<RequestCounts> ScoreRequest(
    const Bundle& bundle, const scoring::v1::ScoreRequest& request,
    scoring::v1::ScoreResponse& response);

}  // namespace larr
