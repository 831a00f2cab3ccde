// SPDX-License-Identifier: Apache-2.0
//
// Early stopping (`AlignConfig.patience`): the loss on validation rows after
// each epoch, and the model of the lowest. Its state goes into checkpoints, so
// that a restart ends where it would have ended.
//
// Threads: one at a time.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/ctr/ctr_model.h"

namespace larr::stage {

class BestEpoch {
 public:
  // Up to `epochs` of `model`, which must outlive it. The patience is positive.
  BestEpoch(const CtrModel& model, int64_t epochs, int64_t patience);

  // After an epoch: the loss of the model as it is now.
  void Add(double loss);
  // Whether `patience` epochs in a row did not lower the loss.
  bool ended() const;
  // Gives the model the weights of the best epoch.
  // REQUIRES: there was an epoch
  void Restore();

  std::vector<double> losses() const;  // By epoch.
  int64_t best() const;                // Counts from 1; 0 before the first.

  // What a checkpoint keeps; shares memory with the object.
  std::map<std::string, torch::Tensor> State() const;

 private:
  const int64_t patience_;
  // [epochs], float64; NaN for those to come.
  torch::Tensor losses_;
  std::map<std::string, torch::Tensor> model_;  // Its own tensors,
  std::map<std::string, torch::Tensor> best_;   // and copies of them.
};

}  // namespace larr::stage
