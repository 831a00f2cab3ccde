// SPDX-License-Identifier: Apache-2.0
//
// The platform's backend: asks the scoring service for the best of a request's
// candidates, as docs/backend.md says, and shows them.
//
// Threads:    one.
// Errors:     those of the scoring service; kDataLoss if an answer is not of
//             its request
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "examples/city/tables.h"
#include "larr/scoring/v1/scoring_service.grpc.pb.h"
#include "larr/scoring/v1/scoring_service.pb.h"
#include "tools/market/market.h"
#include "tools/market/oracle.h"
#include "tools/programs/server.h"

namespace larr::market {

// The request for a list of `kShown`. It has the impression columns that the
// dataset's spec reads, just as they are logged. `moment`: of
// city::MomentColumns().
scoring::v1::ScoreRequest MakeScoreRequest(
    const Market& market, int user, const city::Columns& moment,
    const std::vector<Candidate>& candidates);

// What the service answered.
struct Answer {
  std::string arm;
  std::vector<int> best;  // Indices of candidates, best first.
  scoring::v1::MissingCounts missing;
  std::chrono::nanoseconds latency{0};  // From call to answer.
};

class Backend {
 public:
  // Borrows the server.
  explicit Backend(programs::Server& scoring);

  // Divides users between the arms from now on; loads their bundles first.
  absl::Status SetArms(const scoring::v1::Arms& arms);

  absl::StatusOr<Answer> Ask(const scoring::v1::ScoreRequest& request);

 private:
  programs::Server& server_;
  const std::unique_ptr<scoring::v1::ScoringService::Stub> scoring_;
  const std::unique_ptr<scoring::v1::ScoringAdminService::Stub> admin_;
};

}  // namespace larr::market
