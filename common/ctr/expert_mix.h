// SPDX-License-Identifier: Apache-2.0
//
// The mixtures of one PLE level, with their gradients: each gate takes the
// softmax of its logits over its experts and mixes them after their ReLU. One
// pass over memory each way, on the CPU.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace larr {

// Columns of what the gates mix: where each expert of a gate begins, and the
// first of as many logits.
struct MixGate {
  std::vector<int64_t> experts;
  int64_t first_logit = 0;
};

// `parts`: float32 [B, .], side by side the experts, of `width` columns each,
// and the logits. Returns, by gate, [B, width].
std::vector<torch::Tensor> MixExperts(const std::vector<torch::Tensor>& parts,
                                      const std::vector<MixGate>& gates,
                                      int64_t width);

}  // namespace larr
