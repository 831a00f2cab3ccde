// SPDX-License-Identifier: Apache-2.0
//
// What was logged, as a request to the scoring server. A header alone, so that
// a test of another dataset has it without the demo.
#pragma once

#include "common/dataset/impression_stream.h"
#include "larr/scoring/v1/scoring_service.pb.h"

namespace larr::demo {

// Adds an impression to the request that it was shown for: the values of the
// context to the context, the others to a new candidate.
inline void AddImpression(const SpecSchemas& schemas, const Impression& row,
                          scoring::v1::ScoreRequest& request) {
  request.set_user_id(row.user_id);
  auto& candidate = *request.add_candidates();
  candidate.set_poi_id(row.poi_id);
  for (int c = 0; c < schemas.impressions.size(); ++c) {
    auto& values = schemas.impressions_context[c] ? *request.mutable_context()
                                                  : *candidate.mutable_values();
    values[schemas.impressions.name(c)] = ToProto(row.values[c]);
  }
}

}  // namespace larr::demo
