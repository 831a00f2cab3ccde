// SPDX-License-Identifier: Apache-2.0
//
// The contrast stage without a language model (`TrainingSpec.encoder` is
// BAG_OF_WORDS): words are weighed over the corpus's texts, and the projection
// alone learns, from the same start and pairs as a language model's. What is
// called tokens are words here, and pairs of neighbouring words.
//
// Input:  `corpus`.
// Output: the folder of common/llm/bag_of_words.h, its manifest with the
//         embedder fingerprint, and `training.json` as in contrast.h.
#pragma once

#include "absl/status/status.h"
#include "larr/config/v1/dataset.pb.h"
#include "services/stage/contrast_sampler.h"
#include "services/stage/stage.h"

namespace larr::stage {

// `config` is complete. Rank 0 writes; all return once it has.
// Errors: kInvalidArgument  there is no text or pair to fit to;
//         those of ContrastSampler, TrainOnPairs and the disk
absl::Status RunWordContrast(StageContext& context,
                             const config::v1::ContrastConfig& config,
                             const config::v1::DatasetSpec& dataset,
                             ContrastData data);

}  // namespace larr::stage
