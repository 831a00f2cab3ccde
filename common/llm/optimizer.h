// SPDX-License-Identifier: Apache-2.0
//
// AdamW (decoupled weight decay, beta 0.9 and 0.95) with master weights in
// float32: gradients of whatever dtype are summed in float32, the masters
// move, and the tensors that the decoder computes with are their rounding.
//
// The learning rate grows linearly over the warm-up, then falls by a cosine to
// zero. Norms and new parameters are not decayed.
//
// Threads:  one at a time.
// Errors:   kFailedPrecondition  a gradient is not finite; nothing has moved
//           kInvalidArgument     a state is of other tensors
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <torch/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/llm/decoder.h"
#include "common/tensors/safetensors.h"
#include "larr/config/v1/training.pb.h"

namespace larr {

class Optimizer {
 public:
  Optimizer(std::vector<TrainedTensor> tensors,
            const config::v1::LlmOptimizer& options, int64_t total_steps);

  // Adds the tensors' gradients to the sums and clears them. After each
  // backward pass: a step may have several.
  void Accumulate();

  // Clips, moves and clears the sums. `step` counts from 0. Returns the
  // gradient's norm before clipping.
  absl::StatusOr<double> Step(int64_t step);

  // Share of the peak learning rate at a step.
  double Schedule(int64_t step) const;

  // Masters and moments by name; on the memory in use.
  std::map<std::string, torch::Tensor> State() const;
  // Takes a state over, and rounds the masters to the decoder's tensors.
  absl::Status Restore(const SafetensorsFile& file);

 private:
  struct Entry {
    TrainedTensor trained;
    torch::Tensor master;    // trained.tensor itself where that is float32
    torch::Tensor gradient;  // float32 sum
    torch::Tensor mean;
    torch::Tensor variance;
  };
  void Round();

  config::v1::LlmOptimizer options_;
  int64_t total_steps_;
  std::vector<Entry> entries_;
};

}  // namespace larr
