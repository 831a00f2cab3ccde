// SPDX-License-Identifier: Apache-2.0
//
// Why one candidate has its score, for people who train models: which texts had
// vectors, what the model attends to, and what each feature adds by leaving it
// out. Free of gRPC.
//
// Threads:    may be called concurrently, also on one bundle.
#pragma once

#include "absl/status/statusor.h"
#include "larr/scoring/v1/scoring_service.pb.h"
#include "services/scoring/request_encoder.h"

namespace larr {

class Bundle;

// Explains `request.explain_candidate`; `encoded` is the whole request. Reads
// the candidate's POI again: what is kept ready of it is not enough.
//
// REQUIRES: the request passed the bundle's checker and has explain_candidate
// Errors:   those of Snapshot's reads; kInternal if LibTorch failed
absl::StatusOr<scoring::v1::Explanation> Explain(
    const Bundle& bundle, const scoring::v1::ScoreRequest& request,
    const EncodedRequest& encoded);

}  // namespace larr
