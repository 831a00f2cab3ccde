// SPDX-License-Identifier: Apache-2.0
//
// The pretrain stage (paper section 3.1): the base model learns to write a
// POI's other keywords from its name and place. Special tokens of all keywords
// of the dataset are added first; with `pretrain.steps` 0 that is all.
//
// Input:  `corpus`, and the folder `spec.base_model`.
// Output: a checkpoint folder (common/llm/checkpoint.h) and `training.json`:
//         held_out: {descriptions, documents} that were looked at, and
//           measures: {name: {tokens, loss_before, loss_after,
//           perplexity_before, perplexity_after}} (description_report.h);
//         curve: step, loss, gradient_norm, tokens, and held_out_loss of the
//           weights after the step, where it was looked at;
//         tokens_per_second.
// Several ranks share the texts of each step.
#pragma once

#include "absl/status/status.h"
#include "services/stage/stage.h"

namespace larr::stage {

// REQUIRES: context.ranks is set; each of them calls this
// Errors: kInvalidArgument  a setting is missing or out of range, or the corpus
//                           has no description;  those of common/llm
absl::Status RunPretrain(StageContext& context);

}  // namespace larr::stage
