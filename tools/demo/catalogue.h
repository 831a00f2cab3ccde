// SPDX-License-Identifier: Apache-2.0
//
// The third point of the demo: texts of 20 POIs change, a refresh encodes just
// these, and scoring moves to the new snapshot under requests that go on.
#pragma once

#include "absl/status/statusor.h"
#include "larr/config/v1/server.pb.h"
#include "larr/coordinator/v1/coordinator_service.pb.h"
#include "tools/demo/demo.h"
#include "tools/programs/server.h"

namespace larr::demo {

// All but the address.
config::v1::EmbeddingConfig EmbeddingSettings(
    const Demo& demo, const coordinator::v1::TrainingRun& run);

// The embedding service over a copy of the dataset, started from the run's
// checkpoint and snapshot. The first call makes the copy.
absl::StatusOr<programs::Server> StartEmbedding(
    const Demo& demo, const coordinator::v1::TrainingRun& run);

// Edits the copy, refreshes through larrctl, switches scoring.
absl::StatusOr<Json> ChangeCatalogue(const Demo& demo,
                                     const coordinator::v1::TrainingRun& run);

}  // namespace larr::demo
