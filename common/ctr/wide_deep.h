// SPDX-License-Identifier: Apache-2.0
//
// Logistic regression, Wide & Deep (Cheng et al. 2016) and DeepFM (Guo et al.
// 2017), for one task:
//
//   logit = b + sum of w_i x_i                             linear
//         + MLP(x)                                         Wide & Deep
//         + sum over pairs of fields of <v_i x_i, v_j x_j>  DeepFM
//
// A field is a categorical feature, whose x_i is 1 and whose v_i and w_i are
// its id's row of the tables, or a dense number, whose v_i and w_i are here.
// Crosses of features are the dataset's own, its CROSS side: no others are made
// for the wide part.
//
// Shapes: B rows, F categorical features, D dense numbers, W = embedding width,
//         K = F * W + D.
#pragma once

#include <torch/nn/module.h>
#include <torch/types.h>

#include <vector>

#include "common/ctr/layout.h"
#include "larr/config/v1/model.pb.h"

namespace larr {

class WideDeep : public torch::nn::Module {
 public:
  // REQUIRES: a completed architecture of a kind that IsSingleTask.
  WideDeep(const config::v1::CtrArchitecture& architecture,
           const CtrLayout& layout);

  struct Input {
    torch::Tensor first_order_BF;  // The ids' w.
    torch::Tensor embedded_BFW;    // The ids' v.
    torch::Tensor dense;           // [B, D]
    torch::Tensor x;               // [B, K]: embeddings and dense numbers.
  };
  // Logits: [B, 1].
  torch::Tensor Forward(const Input& input) const;

 private:
  torch::Tensor FieldPairs(const Input& input) const;  // [B, 1]

  torch::Tensor wide_weight_, wide_bias_;  // [1, D], [1]
  torch::Tensor dense_factors_;            // [D, W]; undefined without pairs.
  // By layer of the MLP, the one that gives the logit last. None: no MLP.
  std::vector<torch::Tensor> weights_, biases_;
};

}  // namespace larr
