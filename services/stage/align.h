// SPDX-License-Identifier: Apache-2.0
//
// Stage 3 (paper 3.3): trains one recommender, `spec.align[align_name]`. What
// is said here is of all kinds but P5, whose training is in p5.h.
//
//   1. One pass over the training rows learns vocabularies, bucket edges and
//      means; for LARR, each slot's mean and scale from the distinct texts of
//      the first `shuffle_rows` rows.
//   2. AdamW over batches in a seeded order; text vectors come from the `embed`
//      snapshot by text id, as they were on each row's own day. With `patience`
//      the loss on validation rows, without alignment, after each epoch.
//   3. Metrics on the validation rows.
//
// Writes a `ctr_model` artifact: the model (common/ctr/model_io.h),
// `training.json` with rows, steps, seconds, throughput, the loss curve (means
// over `loss_every` steps), the epoch whose model it is (from 1), with patience
// the `validation_losses` by epoch, and the validation metrics; and the
// distribution of its scores on validation rows, if there are any
// (common/ctr/score_distribution.h).
//
// Work folder: `description.textproto` after step 1; `checkpoint.safetensors`
//              and `curve.json` during step 2. A stage that was killed goes on
//              at the last checkpoint and ends with the same weights; one of
//              other settings or inputs is refused.
// Errors:      kInvalidArgument names the setting; otherwise those of dataset,
//              snapshot and files.
#pragma once

#include <absl/status/status.h>

#include "services/stage/stage.h"

namespace larr::stage {

absl::Status RunAlign(StageContext& context);

}  // namespace larr::stage
