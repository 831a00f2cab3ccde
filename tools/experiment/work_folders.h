// SPDX-License-Identifier: Apache-2.0
//
// The work folders of a finished run: checkpoints and caches, by which a stage
// that was killed goes on. Once the run's result is kept nobody needs them, and
// they are as large as what the stages made.
//
// Threads:  one.
#pragma once

#include "larr/coordinator/v1/coordinator_service.pb.h"

namespace larr::experiment {

// Empties the work folders of the run's own stages but for logs and progress.
// What cannot be removed stays: it is in nobody's way.
void EmptyWorkFolders(const coordinator::v1::TrainingRun& run);

}  // namespace larr::experiment
