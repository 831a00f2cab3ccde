// SPDX-License-Identifier: Apache-2.0
//
// Training on pairs, whatever makes states of texts: the start is fitted
// (contrast_start.h), then the projection and the model's own parameters learn
// by eq. 21, and held-out pairs tell before and after what that brought.
#pragma once

#include <torch/types.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/llm/optimizer.h"
#include "larr/config/v1/training.pb.h"
#include "services/stage/contrast_sampler.h"
#include "services/stage/stage.h"
#include "services/stage/text_model.h"

namespace larr::stage {

struct TrainedProjection {
  torch::Tensor projection;       // float32 [embedding_dim, h] of eq. 10
  nlohmann::ordered_json report;  // what `training.json` says: contrast.h
};

// `trained` are parameters of `text_model` that learn beside the projection;
// there may be none. `identity` is StageIdentity.settings: the work folder's
// newest checkpoint is taken up if it is of that. All ranks call it.
// REQUIRES: `config` is complete
// Errors: kInvalidArgument  there are steps, but no pair to learn from;
//         those of contrast_start.h and pair_model.h
absl::StatusOr<TrainedProjection> TrainOnPairs(
    StageContext& context, const std::string& identity,
    const config::v1::ContrastConfig& config, const ContrastSampler& sampler,
    const TextModel& text_model, std::vector<TrainedTensor> trained);

}  // namespace larr::stage
