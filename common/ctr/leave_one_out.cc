// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/leave_one_out.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <cstdint>
#include <vector>

namespace larr {
namespace {

using torch::Tensor;

template <typename T>
void Append(const std::vector<T>& from, std::vector<T>& to) {
  to.insert(to.end(), from.begin(), from.end());
}

// `rows` times the columns, the input of row first + i without column i.
template <typename T>
Tensor Without(const std::vector<T>& columns, int64_t rows, int64_t first,
               T standard) {
  const auto count = static_cast<int64_t>(columns.size());
  Tensor all = torch::tensor(columns, c10::CppTypeToScalarType<T>::value)
                   .repeat({rows, 1});
  all.narrow(0, first, count).diagonal().fill_(standard);
  return all;
}

// The vectors of all r slots, null where there is none.
std::vector<const float*> SlotVectors(const CtrLayout& layout,
                                      const RequestColumns& request,
                                      const PoiColumns& poi) {
  std::vector<const float*> vectors(layout.slot_count(), nullptr);
  const auto fill = [&](config::v1::Side side,
                        const std::vector<const float*>& of_side) {
    const std::vector<int64_t> slots = layout.SlotsOf(side);
    for (size_t i = 0; i < slots.size(); ++i) vectors[slots[i]] = of_side[i];
  };
  fill(config::v1::USER, request.user_vectors);
  fill(config::v1::CONTEXT, request.context_vectors);
  fill(config::v1::POI, poi.vectors);
  return vectors;
}

SceneBatch MakeScene(const CtrLayout& layout,
                     const std::vector<const float*>& vectors, int64_t rows,
                     int64_t first) {
  std::vector<float> texts;
  std::vector<int64_t> slots, index;
  for (size_t s = 0; s < vectors.size(); ++s) {
    index.push_back(-1);
    if (vectors[s] == nullptr) continue;
    index.back() = static_cast<int64_t>(slots.size());
    slots.push_back(static_cast<int64_t>(s));
    texts.insert(texts.end(), vectors[s], vectors[s] + layout.text_dim);
  }
  const auto count = static_cast<int64_t>(slots.size());
  return {
      .texts_TC =
          torch::tensor(texts, torch::kFloat32).view({count, layout.text_dim}),
      .slots_T = torch::tensor(slots, torch::kInt64),
      .index_Br = Without<int64_t>(index, rows, first, -1)};
}

std::vector<float> ToVector(const Tensor& tensor) {
  const Tensor flat = tensor.contiguous();
  const auto* first = flat.const_data_ptr<float>();
  return {first, first + flat.numel()};
}

}  // namespace

ScoreParts LeaveOneOut(const LoadedCtrModel& loaded,
                       const RequestColumns& request, const PoiColumns& poi) {
  const c10::InferenceMode inference;
  const CtrLayout& layout = loaded.model->layout();
  // In the order of the layout's blocks.
  std::vector<int64_t> ids;
  for (const auto* block :
       {&request.user_ids, &request.context_ids, &poi.ids, &request.cross_ids})
    Append(*block, ids);
  std::vector<float> dense;
  for (const auto* block : {&request.user_dense, &request.context_dense,
                            &poi.dense, &request.cross_dense})
    Append(*block, dense);
  const int64_t first_dense = 1 + layout.id_count();
  const int64_t first_slot = first_dense + layout.dense_count;
  const int64_t rows = first_slot + layout.slot_count();
  CtrBatch batch;
  batch.ids = Without<int64_t>(ids, rows, 1, 0);
  batch.dense = Without<float>(dense, rows, first_dense, 0);
  ScoreParts parts;
  if (layout.slot_count() > 0) {
    batch.scene =
        MakeScene(layout, SlotVectors(layout, request, poi), rows, first_slot);
    SceneBatch whole = batch.scene;
    whole.index_Br = whole.index_Br.narrow(0, 0, 1);
    parts.attention =
        ToVector(loaded.model->scene_encoder()->AttentionOfAgg(whole));
  }
  const Tensor scores = loaded.model->Predict(batch);
  parts.scores.ctr = ToVector(scores.select(1, 0));
  parts.scores.ctcvr = layout.tasks > 1 ? ToVector(scores.select(1, 1))
                                        : std::vector<float>(rows);
  return parts;
}

}  // namespace larr
