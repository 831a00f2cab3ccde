// SPDX-License-Identifier: Apache-2.0
//
// Whether a stage's artifact is there: what the stage asks before it works,
// and the coordinator when it ended, so that the two never disagree.
//
// An artifact of other inputs than the stage would read now does not count, as
// after an input was lost and made anew: a run would mix the two. A champion is
// no input in this sense; its alias's fencing token tells whether it moved.
//
// Threads:  safe.
// Errors:   kNotFound            there is none
//           kDataLoss            it is damaged
//           kFailedPrecondition  it was made from other inputs
#pragma once

#include "absl/status/statusor.h"
#include "larr/config/v1/model.pb.h"
#include "larr/config/v1/training.pb.h"

namespace larr {

// The manifest of the artifact at `config.output()`. An input that is lost
// or damaged is not compared: what was made from it is still whole.
absl::StatusOr<config::v1::ArtifactManifest> ReadStageOutput(
    const config::v1::StageConfig& config);

}  // namespace larr
