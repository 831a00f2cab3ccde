// SPDX-License-Identifier: Apache-2.0
//
// Stage 3 for the kind P5 (Geng et al. 2022): the language model of
// `spec.base_model` learns to answer prompts about training rows. No artifact
// of another stage is read.
//
//   1. One pass over the training rows counts the steps: prompts fill a step by
//      their tokens, and the learning rate's schedule wants to know its end.
//   2. AdamW over the rows in the order that ALIGN reads them in.
//   3. Metrics on 500 validation rows, drawn by the seed.
//
// Writes a `p5_model` artifact: the model (p5_recommender.h), and
// `training.json` as ALIGN writes it, but with each step in `loss`, with
// `tokens`, and a `throughput` in rows/s.
//
// Of AlignConfig it reads `p5`, `epochs`, `max_rows`, `checkpoint_steps`,
// `shuffle_rows`, `seed` and `left_out_features`.
//
// Work folder: `steps.json` after step 1, `checkpoints/` during step 2. A stage
//              that was killed goes on at the last checkpoint and ends with the
//              same bits; one of other settings or inputs is refused.
// Errors:      kInvalidArgument names the setting; otherwise those of dataset,
//              checkpoint and files.
#pragma once

#include <absl/status/status.h>

#include "larr/config/v1/training.pb.h"
#include "services/stage/stage.h"

namespace larr::stage {

// `config` is complete. REQUIRES: context.ranks is one process
absl::Status RunP5(StageContext& context,
                   const config::v1::AlignConfig& config);

}  // namespace larr::stage
