// SPDX-License-Identifier: Apache-2.0
//
// What to try when the demo is over: three commands, and the files that they
// need.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "larr/coordinator/v1/coordinator_service.pb.h"
#include "tools/demo/demo.h"

namespace larr::demo {

// Writes configurations with the usual ports and a request into `try/`, and
// returns the commands as text.
absl::StatusOr<std::string> NextSteps(const Demo& demo,
                                      const coordinator::v1::TrainingRun& run);

}  // namespace larr::demo
