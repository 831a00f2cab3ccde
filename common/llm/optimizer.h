// SPDX-License-Identifier: Apache-2.0
//
// AdamW (decoupled weight decay, beta 0.9 and 0.95) with master weights in
// float32: gradients of whatever dtype are summed in float32, the masters
// move, and the tensors that the decoder computes with are their rounding.
//
// The learning rate grows linearly over the warm-up, then falls by a cosine to
// zero. Norms and new parameters are not decayed.
//
// With several ranks each has a share of masters and moments (shards.h), and
// gradients are summed over ranks: each rank's loss is its share of the step's,
// divided by what all ranks have. Step() then is an operation of the group.
//
// Threads:  one at a time.
// Errors:   kFailedPrecondition  a gradient is not finite: nothing has moved;
//                                or a state is of other ranks
//           kInvalidArgument     a state is of other tensors
//           kUnavailable         a rank is gone (process_group.h)
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <torch/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/llm/decoder.h"
#include "common/tensors/safetensors.h"
#include "larr/config/v1/training.pb.h"

namespace larr {

class ProcessGroup;
class Shards;

class Optimizer {
 public:
  // The group outlives the optimizer; null: one process.
  Optimizer(std::vector<TrainedTensor> tensors,
            const config::v1::LlmOptimizer& options, int64_t total_steps,
            ProcessGroup* group = nullptr);
  ~Optimizer();

  // The next backward pass is its step's last: with several ranks its gradients
  // are exchanged while it runs. Not said, they are exchanged in Step().
  void ExpectLastPass();

  // Adds the tensors' gradients to the sums and clears them. After each
  // backward pass: a step may have several.
  void Accumulate();

  // Clips, moves and clears the sums. `step` counts from 0. Returns the
  // gradient's norm before clipping.
  absl::StatusOr<double> Step(int64_t step);

  // Share of the peak learning rate at a step.
  double Schedule(int64_t step) const;

  // This rank's masters and moments by name; on the memory in use.
  std::map<std::string, torch::Tensor> State() const;
  // Takes this rank's state over. With several ranks Publish() must follow on
  // all of them, once each has its own.
  absl::Status Restore(const SafetensorsFile& file);
  // Rounds the masters to the decoder's tensors, on all ranks.
  absl::Status Publish();

 private:
  // A tensor, or this rank's piece of one.
  struct Entry {
    std::string name;
    bool is_new = false;
    bool decays = false;
    torch::Tensor tensor;    // undefined for a piece: shards have its tensor
    torch::Tensor master;    // float32; the tensor itself where that is, too
    torch::Tensor gradient;  // of a single pass, or the float32 sum of several
    torch::Tensor mean;
    torch::Tensor variance;
  };
  void Add(const TrainedTensor& trained, Entry entry);
  absl::StatusOr<double> GradientNorm() const;
  absl::Status CheckRanks(const SafetensorsFile& file) const;

  config::v1::LlmOptimizer options_;
  int64_t total_steps_;
  ProcessGroup* group_;
  std::unique_ptr<Shards> shards_;  // null with one process
  std::vector<Entry> entries_;
};

}  // namespace larr
