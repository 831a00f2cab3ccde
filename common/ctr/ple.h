// SPDX-License-Identifier: Apache-2.0
//
// Progressive layered extraction (Tang et al. 2020) and its towers. On each
// level every task has experts of its own, and all share some; a softmax gate
// mixes for each task its own and the shared experts, and, below the last
// level, for the shared path all experts. The mixtures are the next level's
// inputs. An expert is one layer with ReLU, a gate one linear layer.
//
// Experts stand in the order task 0, task 1, ..., shared; so do gates. The
// first level is linear in x up to ReLU and softmax: its input may be split by
// columns, computed apart and added.
//
// Shapes: B rows, K = width of x, E experts, W = width of an expert,
//         G = gates of a level: tasks, and 1 below the last level.
#pragma once

#include <torch/nn/module.h>
#include <torch/types.h>

#include <cstdint>
#include <vector>

#include "common/ctr/expert_mix.h"
#include "larr/config/v1/model.pb.h"

namespace larr {

class PleLevel : public torch::nn::Module {
 public:
  PleLevel(const config::v1::CtrArchitecture& architecture, int level,
           int64_t tasks, int64_t input_width);

  // x: one input for all (first level), or one for each gate path: [B, K].
  // Returns one mixture for each gate: [B, W].
  std::vector<torch::Tensor> Forward(const std::vector<torch::Tensor>& x);

 private:
  const int64_t width_;
  // Rows of expert_weight_ and of gate_weight_ by path: task 0, task 1, ...,
  // shared. What is mixed has by path its experts and its gate's logits.
  std::vector<int64_t> expert_rows_, gate_rows_;
  std::vector<MixGate> gates_;
  torch::Tensor expert_weight_, expert_bias_;  // [E * W, K]
  torch::Tensor gate_weight_, gate_bias_;      // [all gates' experts, K]
};

class Ple : public torch::nn::Module {
 public:
  // REQUIRES: a completed architecture.
  Ple(const config::v1::CtrArchitecture& architecture, int64_t tasks,
      int64_t input_width);

  // One logit for each task: [B, tasks].
  torch::Tensor Forward(const torch::Tensor& x_BK);

 private:
  std::vector<std::shared_ptr<PleLevel>> levels_;
  // By task. Tower: one layer with ReLU, one linear layer.
  std::vector<torch::Tensor> hidden_weight_, hidden_bias_;
  std::vector<torch::Tensor> logit_weight_, logit_bias_;
};

}  // namespace larr
