// SPDX-License-Identifier: Apache-2.0
//
// The pretrain stage (paper section 3.1): the base model learns to write a
// POI's other keywords from its name and place. Special tokens of all keywords
// of the dataset are added first; with `pretrain.steps` 0 that is all.
//
// Input:  `corpus`, and the folder `spec.base_model`.
// Output: a checkpoint folder (common/llm/checkpoint.h) and `training.json`:
//         held_out.{before,after}: loss a token on held-out descriptions;
//         curve: step, loss, gradient_norm, tokens; tokens_per_second.
#pragma once

#include "absl/status/status.h"
#include "services/stage/stage.h"

namespace larr::stage {

// Errors: kInvalidArgument  a setting is missing or out of range, or the corpus
//                           has no description;  those of common/llm
absl::Status RunPretrain(StageContext& context);

}  // namespace larr::stage
