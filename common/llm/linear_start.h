// SPDX-License-Identifier: Apache-2.0
//
// Where stage 2 starts from. Last hidden states of a language model differ
// little: most of a state says that it stands at the end of this slot, and
// cosines between any two texts are near 1. A projection that learns from
// there by AdamW moves all texts alike, and they collapse into one point.
//
// So states are turned into coordinates of what tells texts of one slot apart:
// the directions of the slots' means are left out, the others are scaled to
// even variance. It is linear, and becomes a part of the projection.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <vector>

namespace larr {

// states float32 [n, h]; slot[i] is equal for texts that end in the same slot.
// Returns W float32 [h, h]: the coordinates of a state are W state, those with
// the largest variance first. Directions of small variance are not blown up to
// the full: a tenth of the mean variance is added to each.
torch::Tensor ContentWhitening(const torch::Tensor& states,
                               const std::vector<int32_t>& slot);

}  // namespace larr
