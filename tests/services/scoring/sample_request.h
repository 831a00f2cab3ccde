// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "larr/scoring/v1/scoring_service.pb.h"

namespace larr::testing {

// A request to a model of ScoringWorld: a known user and context, and
// `candidates` POIs, the last of which is unknown.
inline scoring::v1::ScoreRequest SampleRequest(int candidates) {
  scoring::v1::ScoreRequest request;
  request.set_user_id("u1");
  auto& context = *request.mutable_context();
  context["temperature"].set_double_value(17.5);
  context["rain"].set_string_value("dry");
  context["hour"].set_int_value(13);
  context["event"].set_string_value("derby");
  for (int i = 0; i < candidates; ++i) {
    auto& candidate = *request.add_candidates();
    candidate.set_poi_id(i + 1 == candidates ? "nowhere"
                                             : "p" + std::to_string(i % 7));
    (*candidate.mutable_values())["distance"].set_double_value(0.5 * i);
  }
  return request;
}

}  // namespace larr::testing
