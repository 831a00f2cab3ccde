// SPDX-License-Identifier: Apache-2.0
//
// The fourth point of the demo: POIs for "a user travelling in <region>", by
// the language model's vectors alone (paper section 4.5).
#pragma once

#include "absl/status/statusor.h"
#include "larr/coordinator/v1/coordinator_service.pb.h"
#include "tools/demo/demo.h"

namespace larr::demo {

// Asks for the ten nearest POIs once for each region of the city.
absl::StatusOr<Json> SearchRegions(const Demo& demo,
                                   const coordinator::v1::TrainingRun& run);

}  // namespace larr::demo
