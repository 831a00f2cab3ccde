// SPDX-License-Identifier: Apache-2.0
//
// The second point of the demo: the last test day once more, as requests to
// the scoring server, and whether its answers are the offline scores.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "larr/config/v1/server.pb.h"
#include "larr/coordinator/v1/coordinator_service.pb.h"
#include "larr/scoring/v1/scoring_service.pb.h"
#include "tools/demo/demo.h"
#include "tools/programs/server.h"

namespace larr::demo {

// A request of the log, and what the evaluation said about its candidates.
struct LoggedRequest {
  scoring::v1::ScoreRequest request;
  std::vector<uint8_t> clicks;  // 0 or 1.
  std::vector<double> ctr;
  std::vector<double> ctcvr;
};

// The requests of the last day, in the order of the log.
// Errors: kDataLoss  the evaluation's rows are not those of the log
absl::StatusOr<std::vector<LoggedRequest>> LoadLastDay(
    const Demo& demo, const coordinator::v1::TrainingRun& run);

// All but the address: what the run published is served; the admin port is a
// free one.
config::v1::ScoringConfig ScoringSettings(
    const Demo& demo, const coordinator::v1::TrainingRun& run);
absl::StatusOr<programs::Server> StartScoring(
    const Demo& demo, const coordinator::v1::TrainingRun& run);

// Sends the last day's requests one after another.
absl::StatusOr<Json> ReplayLastDay(const Demo& demo,
                                   const coordinator::v1::TrainingRun& run);

}  // namespace larr::demo
