// SPDX-License-Identifier: Apache-2.0
//
// Rotary positions: cosines and sines of position * theta^(-2i / D).
#pragma once

#include <torch/types.h>

#include <cstdint>

namespace larr {

struct RotaryTable {
  torch::Tensor cosine;  // float32 [positions, D / 2]
  torch::Tensor sine;    // float32 [positions, D / 2]
};

// In float32 throughout, as models are trained.
RotaryTable MakeRotaryTable(int64_t positions, int64_t head_dim, double theta);

}  // namespace larr
