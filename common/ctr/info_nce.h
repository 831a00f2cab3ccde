// SPDX-License-Identifier: Apache-2.0
//
// The alignment loss of paper eq. 24-25: symmetric InfoNCE between the scene
// embeddings e_s and the recommender's own e_t of the same rows, by cosine
// similarity. Minus log of the printed ratio; each direction is averaged over
// the batch. Rows of the same user and POI are no negatives of each other.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <span>
#include <vector>

namespace larr {

// e_s, e_t: float32 [B, E], on the CPU. pairs_B: int64, equal for rows of the
// same (user, POI). kept: DrawNegatives of the batch; empty keeps all rows.
torch::Tensor InfoNce(const torch::Tensor& e_s, const torch::Tensor& e_t,
                      const torch::Tensor& pairs_B, double temperature,
                      std::span<const uint8_t> kept = {});

// By (j - i) mod `rows`: whether row j is a negative of row i. Each row so gets
// `negatives` others, and is as often one itself. Empty where that is all of
// them, and for 0.
std::vector<uint8_t> DrawNegatives(int64_t rows, int64_t negatives,
                                   at::Generator generator);

}  // namespace larr
