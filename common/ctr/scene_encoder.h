// SPDX-License-Identifier: Apache-2.0
//
// The scene encoder of paper eq. 22-23: r text vectors to one e_s.
//
//   z_i = (h_i - mean_s) * scale_s     slot s of text i; statistics are buffers
//   x   = [agg, z_1 + slot_1, ..., z_r + slot_r]
//   e_s = MLP(pooling(one post-norm transformer encoder layer (x)))
//
// A missing text's z is its slot's trained default. With readout AGG only the
// agg row is read, so its query is a constant, and a text contributes a score
// and a value for each head that depend on nothing else: both are computed
// once for each distinct text of a batch.
//
// Shapes: T distinct texts, B rows, r slots, C = text width, E = width of e_s.
#pragma once

#include <torch/nn/module.h>
#include <torch/types.h>

#include <cstdint>

#include "larr/config/v1/model.pb.h"

namespace larr {

// Of both layer norms.
inline constexpr double kSceneNormEpsilon = 1e-5;

// The texts of a batch; each distinct one is there once.
struct SceneBatch {
  torch::Tensor texts_TC;  // float32
  torch::Tensor slots_T;   // int64: the slot that text t belongs to
  torch::Tensor index_Br;  // int64: row of texts_TC, or -1 where it is missing
};

class SceneEncoder : public torch::nn::Module {
 public:
  // REQUIRES: a completed architecture; its heads divide `text_dim`.
  SceneEncoder(const config::v1::CtrArchitecture& architecture,
               int64_t slot_count, int64_t text_dim, int64_t output_width);

  // e_s: [B, E].
  torch::Tensor Forward(const SceneBatch& scene);

  // The whole layer over every position: [B, 1 + r, C]. What Forward computes
  // the first row of with AGG, and pools with MEAN.
  torch::Tensor EncodeAll(const SceneBatch& scene);

  // What the agg position attends to: its weights of the r texts, and of itself
  // behind them, mean over heads: [B, r + 1]. Rows sum to 1.
  torch::Tensor AttentionOfAgg(const SceneBatch& scene) const;

  // Centres each slot and scales it to unit RMS by these texts, each counted
  // once. A slot without texts keeps mean 0 and scale 1.
  void SetStatistics(const torch::Tensor& texts_TC,
                     const torch::Tensor& slots_T);

 private:
  // Row t: text t as the layer sees it; row T + s: the default of slot s.
  torch::Tensor Tokens(const SceneBatch& scene) const;
  // index_Br with T + s in place of -1.
  torch::Tensor TokenIndex(const SceneBatch& scene) const;
  // The same with agg's own token, T + r, behind the others: [B, r + 1].
  torch::Tensor IndexWithAgg(const SceneBatch& scene) const;
  // What AttendFromAgg (agg_attention.h) reads of those tokens: of each the
  // scores that agg gives it, and its values: [T + r + 1, heads + C].
  torch::Tensor TokenTable(const SceneBatch& scene) const;
  // Residual, norm, FFN, residual, norm over rows [M, C].
  torch::Tensor Finish(const torch::Tensor& input,
                       const torch::Tensor& attention);

  const config::v1::CtrArchitecture::Readout readout_;
  const int64_t heads_;
  torch::Tensor mean_rC_, scale_r_;             // Buffers.
  torch::Tensor slot_rC_, default_rC_, agg_C_;  // Parameters.
  torch::Tensor in_weight_, in_bias_, out_weight_, out_bias_;
  torch::Tensor norm1_weight_, norm1_bias_, norm2_weight_, norm2_bias_;
  torch::Tensor ffn1_weight_, ffn1_bias_, ffn2_weight_, ffn2_bias_;
  torch::Tensor mlp1_weight_, mlp1_bias_, mlp2_weight_, mlp2_bias_;
};

}  // namespace larr
