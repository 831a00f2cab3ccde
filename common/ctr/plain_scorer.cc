// SPDX-License-Identifier: Apache-2.0
#include <torch/utils.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "common/ctr/row_scorer.h"

namespace larr {
namespace {

using torch::Tensor;

// Gathers the vectors that are there; each gets a row of `texts`.
class SceneBuilder {
 public:
  SceneBuilder(const CtrLayout& layout, int64_t candidates)
      : layout_(layout),
        candidates_(candidates),
        index_(candidates * layout.slot_count(), -1) {}

  // The text of a slot for the candidates [first, end).
  void Add(int64_t slot, const float* vector, int64_t first, int64_t end) {
    const auto text = static_cast<int64_t>(slots_.size());
    slots_.push_back(slot);
    texts_.insert(texts_.end(), vector, vector + layout_.text_dim);
    for (int64_t row = first; row < end; ++row)
      index_[row * layout_.slot_count() + slot] = text;
  }

  // The texts of a side's slots for all candidates.
  void AddShared(const std::vector<int64_t>& slots,
                 const std::vector<const float*>& vectors) {
    for (size_t i = 0; i < vectors.size(); ++i)
      if (vectors[i] != nullptr) Add(slots[i], vectors[i], 0, candidates_);
  }

  SceneBatch Finish() const {
    return {.texts_TC = torch::tensor(texts_).view({-1, layout_.text_dim}),
            .slots_T = torch::tensor(slots_, torch::kInt64),
            .index_Br = torch::tensor(index_, torch::kInt64)
                            .view({candidates_, layout_.slot_count()})};
  }

 private:
  const CtrLayout& layout_;
  const int64_t candidates_;
  std::vector<float> texts_;
  std::vector<int64_t> slots_, index_;
};

// A state is [ids: int64 | numbers: float | by text: 1 and its vector, or 0 and
// zeros: float].
class PlainScorer final : public RowScorer {
 public:
  explicit PlainScorer(const std::shared_ptr<const LoadedCtrModel>& loaded)
      : loaded_(loaded),
        layout_(loaded->model->layout()),
        poi_slots_(layout_.SlotsOf(config::v1::POI)) {}

  size_t poi_state_bytes() const override {
    const size_t floats = Poi().dense_count + poi_slots_.size() * TextFloats();
    // Ids stay aligned.
    return (IdBytes() + floats * sizeof(float) + 15) / 16 * 16;
  }

  void MakePoiStates(const PoiColumns& pois, std::byte* states) const override {
    const CtrBlock& block = Poi();
    for (int64_t i = 0; i < pois.count; ++i, states += poi_state_bytes()) {
      std::memcpy(states, pois.ids.data() + i * block.id_count, IdBytes());
      auto* to = reinterpret_cast<float*>(states + IdBytes());
      to = std::copy_n(pois.dense.begin() + i * block.dense_count,
                       block.dense_count, to);
      for (size_t t = 0; t < poi_slots_.size(); ++t, to += TextFloats()) {
        const float* vector = pois.vectors[i * poi_slots_.size() + t];
        to[0] = vector == nullptr ? 0.0f : 1.0f;
        if (vector == nullptr)
          std::fill_n(to + 1, layout_.text_dim, 0.0f);
        else
          std::copy_n(vector, layout_.text_dim, to + 1);
      }
    }
  }

  void Score(const RequestColumns& request,
             std::span<const std::byte* const> states,
             ScorerOutput& output) const override {
    if (request.candidates == 0) return;
    CtrBatch batch = MakeBatch(request, states);
    if (layout_.slot_count() > 0) batch.scene = MakeScene(request, states);
    const Tensor scores = loaded_->model->Predict(batch).contiguous();
    const auto* score = scores.const_data_ptr<float>();
    for (int64_t n = 0; n < request.candidates; ++n) {
      output.ctr[n] = score[n * layout_.tasks];
      if (layout_.tasks > 1) output.ctcvr[n] = score[n * layout_.tasks + 1];
    }
  }

 private:
  const CtrBlock& Poi() const { return layout_.blocks[2]; }
  size_t IdBytes() const { return Poi().id_count * sizeof(int64_t); }
  size_t TextFloats() const { return 1 + layout_.text_dim; }

  // Copies one candidate's ids and numbers of a block into its row.
  struct RowWriter {
    int64_t* ids;  // [N, F]
    float* dense;  // [N, D]
    const CtrLayout& layout;

    void Write(int64_t n, const CtrBlock& block, const int64_t* from_ids,
               const float* from_dense) const {
      std::copy_n(from_ids, block.id_count,
                  ids + n * layout.id_count() + block.first_id);
      std::copy_n(from_dense, block.dense_count,
                  dense + n * layout.dense_count + block.first_dense);
    }
  };

  CtrBatch MakeBatch(const RequestColumns& request,
                     std::span<const std::byte* const> states) const {
    const int64_t n = request.candidates;
    CtrBatch batch;
    batch.ids = torch::empty({n, layout_.id_count()}, torch::kInt64);
    batch.dense = torch::empty({n, layout_.dense_count});
    const RowWriter writer{batch.ids.data_ptr<int64_t>(),
                           batch.dense.data_ptr<float>(), layout_};
    const auto& [user, context, poi, cross] = layout_.blocks;
    for (int64_t i = 0; i < n; ++i) {
      writer.Write(i, user, request.user_ids.data(), request.user_dense.data());
      writer.Write(i, context, request.context_ids.data(),
                   request.context_dense.data());
      writer.Write(i, poi, reinterpret_cast<const int64_t*>(states[i]),
                   reinterpret_cast<const float*>(states[i] + IdBytes()));
      writer.Write(i, cross, request.cross_ids.data() + i * cross.id_count,
                   request.cross_dense.data() + i * cross.dense_count);
    }
    return batch;
  }

  SceneBatch MakeScene(const RequestColumns& request,
                       std::span<const std::byte* const> states) const {
    SceneBuilder scene(layout_, request.candidates);
    scene.AddShared(layout_.SlotsOf(config::v1::USER), request.user_vectors);
    scene.AddShared(layout_.SlotsOf(config::v1::CONTEXT),
                    request.context_vectors);
    for (int64_t n = 0; n < request.candidates; ++n) {
      const auto* text = reinterpret_cast<const float*>(states[n] + IdBytes()) +
                         Poi().dense_count;
      for (const int64_t slot : poi_slots_) {
        if (text[0] != 0) scene.Add(slot, text + 1, n, n + 1);
        text += TextFloats();
      }
    }
    return scene.Finish();
  }

  const std::shared_ptr<const LoadedCtrModel> loaded_;
  const CtrLayout& layout_;
  const std::vector<int64_t> poi_slots_;
};

}  // namespace

std::unique_ptr<RowScorer> MakePlainScorer(
    const std::shared_ptr<const LoadedCtrModel>& loaded) {
  return std::make_unique<PlainScorer>(loaded);
}

}  // namespace larr
