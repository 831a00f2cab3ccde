// SPDX-License-Identifier: Apache-2.0
//
// A training run at a coordinator, followed to its end.
//
// Threads:  one.
// Errors:   kAborted        it failed, or someone cancelled it
//           kCancelled      an interrupt came (tools/programs/interrupts.h)
//           kAlreadyExists  the run of that name has other settings
//           otherwise those of the coordinator
#pragma once

#include <filesystem>
#include <string>

#include "absl/status/statusor.h"
#include "larr/config/v1/training.pb.h"
#include "larr/coordinator/v1/coordinator_service.pb.h"
#include "tools/larrctl/commands.h"

namespace larr::ctl {

// The finished run. One that an earlier call left is taken up where it was.
// Shows its progress, if not as JSON. An interrupt stops its stages, is said on
// stdout and answered when they have ended. A coordinator that does not answer
// is asked again for 30 s.
absl::StatusOr<coordinator::v1::TrainingRun> FinishTrainingRun(
    const Session& session, const std::string& id,
    const config::v1::TrainingSpec& spec);

// The folder of what a stage made; empty if there is no such stage.
std::filesystem::path ArtifactOf(const coordinator::v1::TrainingRun& run,
                                 const std::string& stage);

}  // namespace larr::ctl
