// SPDX-License-Identifier: Apache-2.0
//
// Rotary positions: cosines and sines of position * frequency_i, where
// frequency_i = theta^(-2i / D), scaled where a model was trained on for
// longer texts.
#pragma once

#include <torch/types.h>

#include <cstdint>

namespace larr {

struct RopeScaling {
  enum class Kind {
    kNone,
    kLinear,  // every frequency is divided by `factor`
    kLlama3,  // Llama 3.1 and later: the low frequencies alone are
  };
  Kind kind = Kind::kNone;
  double factor = 1;
  // Of kLlama3: a wave that fits `high` times or more into `trained` positions
  // stays, one that fits `low` times or less is divided by `factor`, and
  // between them the one goes over into the other.
  double low = 1;
  double high = 4;
  double trained = 0;
};

struct RotaryTable {
  torch::Tensor cosine;  // float32 [positions, D / 2]
  torch::Tensor sine;    // float32 [positions, D / 2]
};

// In float32 throughout, as models are trained.
RotaryTable MakeRotaryTable(int64_t positions, int64_t head_dim, double theta,
                            const RopeScaling& scaling = {});

}  // namespace larr
