// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/ctr_model.h"

#include <string>
#include <utility>
#include <vector>

namespace larr {

using torch::Tensor;

CtrModel::CtrModel(const config::v1::CtrArchitecture& architecture,
                   CtrLayout layout, TableStart tables)
    : layout_(std::move(layout)) {
  tables_ = register_module(
      "tables", std::make_shared<EmbeddingTables>(layout_.table_rows,
                                                  layout_.table_width, tables));
  if (IsSingleTask(architecture.kind())) {
    for (int64_t task = 0; task < layout_.tasks; ++task)
      single_tasks_.push_back(
          register_module("task" + std::to_string(task),
                          std::make_shared<WideDeep>(architecture, layout_)));
    return;
  }
  if (layout_.slot_count() > 0)
    scene_encoder_ =
        register_module("scene", std::make_shared<SceneEncoder>(
                                     architecture, layout_.slot_count(),
                                     layout_.text_dim, layout_.target_width()));
  ple_ =
      register_module("ple", std::make_shared<Ple>(architecture, layout_.tasks,
                                                   layout_.input_width()));
}

CtrModel::Output CtrModel::Forward(const CtrBatch& batch,
                                   const Tensor& rows_BFR) {
  if (ple_ == nullptr) return {.logits = SingleTaskLogits(batch, rows_BFR)};
  Output out;
  std::vector<Tensor> columns = Tabular(batch, rows_BFR);
  if (scene_encoder_ != nullptr) {
    out.e_s = scene_encoder_->Forward(batch.scene);
    columns.push_back(out.e_s);
    out.e_t =
        rows_BFR.index_select(1, torch::tensor(layout_.target_ids)).flatten(1);
  }
  out.logits = ple_->Forward(torch::cat(columns, 1));
  return out;
}

std::vector<Tensor> CtrModel::Tabular(const CtrBatch& batch,
                                      const Tensor& embedded_BFW) const {
  // Split, not narrowed: the gradients of the parts are then put side by side,
  // not added up.
  std::vector<int64_t> id_counts;
  for (const CtrBlock& block : layout_.blocks)
    id_counts.push_back(block.id_count);
  const auto embedded = embedded_BFW.split_with_sizes(id_counts, 1);
  std::vector<Tensor> columns;
  for (size_t i = 0; i < layout_.blocks.size(); ++i) {
    const CtrBlock& block = layout_.blocks[i];
    columns.push_back(embedded[i].flatten(1));
    if (block.dense_count > 0)
      columns.push_back(
          batch.dense.narrow(1, block.first_dense, block.dense_count));
  }
  return columns;
}

Tensor CtrModel::SingleTaskLogits(const CtrBatch& batch,
                                  const Tensor& rows_BFR) const {
  const int64_t width = layout_.embedding_width;
  std::vector<Tensor> logits;
  int64_t first = 0;
  for (const auto& task : single_tasks_) {
    const Tensor embedded = rows_BFR.narrow(2, first, width);
    logits.push_back(
        task->Forward({.first_order_BF = rows_BFR.select(2, first + width),
                       .embedded_BFW = embedded,
                       .dense = batch.dense,
                       .x = torch::cat(Tabular(batch, embedded), 1)}));
    first += width + 1;
  }
  return torch::cat(logits, 1);
}

Tensor CtrModel::Predict(const CtrBatch& batch) {
  const c10::InferenceMode inference;
  return Forward(batch, tables_->Lookup(batch.ids)).logits.sigmoid();
}

}  // namespace larr
