// SPDX-License-Identifier: Apache-2.0
//
// What looks on while requests are scored: the request log, shadow bundles.
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <string_view>

#include "common/ctr/score_distribution.h"
#include "larr/scoring/v1/scoring_service.pb.h"

namespace larr {

// A call that was scored. Valid while OnScored runs.
struct ScoredCall {
  const scoring::v1::ScoreRequest& request;
  const scoring::v1::ScoreResponse& response;  // Names arm and versions, too.
  std::string_view request_id;                 // From the caller; may be empty.
  std::chrono::system_clock::time_point arrival;
  // How the model's scores were distributed; null if it does not say.
  std::shared_ptr<const ScoreReference> reference = nullptr;
  // Of all candidates, by index, whatever the request asks for.
  std::span<const float> ctr = {}, ctcvr = {};
};

// Threads: OnScored is called on any thread that scores, at once on several.
class ScoreObserver {
 public:
  virtual ~ScoreObserver() = default;

  // Called before the call is answered, so it must be quick: what takes longer
  // is for a thread of the observer's own, by a queue that is never waited for.
  virtual void OnScored(const ScoredCall& call) = 0;

  // Adds what it knows to what is said of the server. `state` has its arms.
  virtual void Describe(scoring::v1::ServingState& /*state*/) const {}
};

}  // namespace larr
