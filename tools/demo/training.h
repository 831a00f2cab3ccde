// SPDX-License-Identifier: Apache-2.0
//
// The first parts of the demo: the data, and the training run on it.
#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "larr/coordinator/v1/coordinator_service.pb.h"
#include "tools/demo/demo.h"

namespace larr::demo {

// Writes the city and validates it. Returns what city.json says.
absl::StatusOr<Json> MakeCity(const Demo& demo);

// Runs the training through a coordinator, showing its progress. A run of an
// earlier demo is taken up where it was; an interrupt stops its stages.
// Returns the finished TrainingRun as JSON.
absl::StatusOr<Json> Train(const Demo& demo);

// What Train() returned, as the message that it was.
absl::StatusOr<coordinator::v1::TrainingRun> TrainingRunOf(const Json& json);

// The model of the run that is served: the last one that was aligned.
std::string ServedModel(const Demo& demo);

}  // namespace larr::demo
