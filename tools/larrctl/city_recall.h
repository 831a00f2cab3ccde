// SPDX-License-Identifier: Apache-2.0
//
// The case study of a finished run (tools/experiment/recall.h), by the program
// larr_city_recall beside this one: larrctl itself knows no language model.
//
// Threads:  one.
#pragma once

#include "absl/status/statusor.h"
#include "larr/coordinator/v1/coordinator_service.pb.h"
#include "tools/experiment/shard_result.h"

namespace larr::ctl {

// Null where there is nothing to measure: the run has no vectors of a language
// model, its data is not the simulated city, or the program is not there.
// Errors: kAborted    the program failed; the message names its log
//         kCancelled  SIGINT or SIGTERM came (tools/programs/interrupts.h)
absl::StatusOr<experiment::Json> CityRecall(
    const coordinator::v1::TrainingRun& run);

}  // namespace larr::ctl
