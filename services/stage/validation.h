// SPDX-License-Identifier: Apache-2.0
//
// A recommender on the validation rows: during stage 3 and at its end.
//
// Threads: one at a time.
// Errors:  those of the rows and of CtrBatcher.
#pragma once

#include <absl/status/statusor.h>

#include <nlohmann/json.hpp>

#include "common/ctr/ctr_model.h"
#include "common/dataset/dataset_spec.h"
#include "larr/config/v1/score_distribution.pb.h"
#include "services/stage/ctr_batcher.h"

namespace larr::stage {

// BCE(CTR) + BCE(CTCVR) of eq. 26, mean over the rows: without the alignment,
// whose size depends on what stands together in a batch.
// Errors: kInvalidArgument  there are no rows, or it is not finite
absl::StatusOr<double> ValidationLoss(const Dataset& dataset, CtrModel& model,
                                      CtrBatcher& batcher);

struct Validation {
  nlohmann::ordered_json metrics;
  config::v1::ScoreDistribution scores;  // Empty without rows.
};
absl::StatusOr<Validation> Validate(const Dataset& dataset, CtrModel& model,
                                    CtrBatcher& batcher);

}  // namespace larr::stage
