// SPDX-License-Identifier: Apache-2.0
//
// The alignment loss of paper eq. 24-25: symmetric InfoNCE between the scene
// embeddings e_s and the recommender's own e_t of the same rows, by cosine
// similarity. Minus log of the printed ratio; each direction is averaged over
// the batch. Rows of the same user and POI are no negatives of each other.
#pragma once

#include <torch/types.h>

namespace larr {

// e_s, e_t: [B, E]. pairs_B: int64, equal for rows of the same (user, POI).
torch::Tensor InfoNce(const torch::Tensor& e_s, const torch::Tensor& e_t,
                      const torch::Tensor& pairs_B, double temperature);

}  // namespace larr
