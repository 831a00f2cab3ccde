// SPDX-License-Identifier: Apache-2.0
//
// The contrast stage (paper section 3.2): the language model becomes an
// embedder. Batches are those of contrast_sampler.h, the loss is eq. 21.
//
// Input:  `corpus`, `pretrain`. Without a language model contrast_words.h.
// Output: a checkpoint folder, of `contrast.layers` layers where that is set,
//         with `larr.json` and the projection, its
//         manifest with the embedder fingerprint for `spec.embed.precision`,
//         and `training.json`: curve: step, loss, and for each kind of pair
//         its loss and the share of texts whose own partner is nearest in the
//         batch; every `evaluate_steps`, of the model after the step,
//         `held_out_loss` (eq. 21) and recall@10 of each kind's held-out
//         pairs; held_out_recall: before and after training, see
//         held_out_recall.h; tokens_per_second.
#pragma once

#include "absl/status/status.h"
#include "services/stage/stage.h"

namespace larr::stage {

// Errors: kInvalidArgument  a setting is missing or out of range, or the corpus
//                           has no pair of any kind;  those of common/llm
absl::Status RunContrast(StageContext& context);

}  // namespace larr::stage
