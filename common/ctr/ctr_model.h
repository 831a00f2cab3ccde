// SPDX-License-Identifier: Apache-2.0
//
// The recommender (paper eq. 22-26): PLE over the tabular blocks, and for LARR
// over the scene embedding e_s, too. e_t is the concatenated user and POI
// embeddings of the recommender's own tables; its columns are part of the
// tabular blocks, so that PLE reads [tabular, e_s, e_t] with no column twice.
// Logistic regression, Wide & Deep and DeepFM, which it is compared with, read
// the tabular blocks.
//
// Threads: forward passes without gradient from any thread at once.
#pragma once

#include <torch/nn/module.h>
#include <torch/types.h>

#include <memory>
#include <vector>

#include "common/ctr/embedding_tables.h"
#include "common/ctr/layout.h"
#include "common/ctr/ple.h"
#include "common/ctr/scene_encoder.h"
#include "common/ctr/wide_deep.h"
#include "larr/config/v1/model.pb.h"

namespace larr {

// B rows. `labels` and `pairs` are for training alone.
struct CtrBatch {
  torch::Tensor ids;     // int64 [B, F]; 0 is a feature's default
  torch::Tensor dense;   // float32 [B, D]
  SceneBatch scene;      // Undefined tensors for a model without texts.
  torch::Tensor labels;  // float32 [B, tasks]: click; click and order
  torch::Tensor pairs;   // int64 [B]: equal for the same (user, POI)

  int64_t rows() const { return ids.size(0); }
};

class CtrModel : public torch::nn::Module {
 public:
  struct Output {
    torch::Tensor logits;  // [B, tasks]: of P(click), of P(click and order)
    torch::Tensor e_s;     // [B, E]; undefined without texts
    torch::Tensor e_t;     // [B, E]; undefined without texts
  };

  // Draws weights from LibTorch's default generator, those of the tables, which
  // may be most of the memory, if `tables` says so.
  // REQUIRES: a completed architecture that `layout` was made from.
  CtrModel(const config::v1::CtrArchitecture& architecture, CtrLayout layout,
           TableStart tables = TableStart::kDrawn);

  // `rows_BFR`: the ids' rows of the tables, of tables().Lookup or Gather.
  Output Forward(const CtrBatch& batch, const torch::Tensor& rows_BFR);

  // Probabilities without gradient: [B, tasks].
  torch::Tensor Predict(const CtrBatch& batch);

  const CtrLayout& layout() const { return layout_; }
  EmbeddingTables& tables() { return *tables_; }
  // Null without texts.
  SceneEncoder* scene_encoder() { return scene_encoder_.get(); }

 private:
  // The blocks' columns, which side by side are [B, tabular columns].
  std::vector<torch::Tensor> Tabular(const CtrBatch& batch,
                                     const torch::Tensor& embedded_BFW) const;
  torch::Tensor SingleTaskLogits(const CtrBatch& batch,
                                 const torch::Tensor& rows_BFR) const;

  const CtrLayout layout_;
  // Shared with the module tree alone.
  std::shared_ptr<EmbeddingTables> tables_;
  std::shared_ptr<SceneEncoder> scene_encoder_;
  std::shared_ptr<Ple> ple_;
  std::vector<std::shared_ptr<WideDeep>> single_tasks_;  // by task; or PLE
};

}  // namespace larr
