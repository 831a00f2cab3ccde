// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/scorer.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string_view>
#include <utility>

#include "common/base/status_macros.h"
#include "common/ctr/model_io.h"
#include "common/tensors/torch_status.h"

namespace larr {

using torch::Tensor;

struct Scorer::State {
  LoadedCtrModel loaded;
  // Slots of USER, CONTEXT and POI texts, each in the spec's order.
  std::vector<int64_t> user_slots, context_slots, poi_slots;
};

namespace {

absl::Status CheckSize(std::string_view field, size_t size, int64_t expected) {
  if (static_cast<int64_t>(size) == expected) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format(
      "{} has {} entries; the model takes {}", field, size, expected));
}

// One side of a request: its values, and whether each candidate has its own.
struct SideInput {
  std::string_view name;
  const CtrBlock& block;
  const std::vector<int64_t>& ids;
  const std::vector<float>& dense;
  bool by_candidate;
};

// Spreads a side over its columns of ids [N, F] and dense [N, D].
absl::Status FillSide(const SideInput& side, const CtrLayout& layout,
                      int64_t candidates, int64_t* ids, float* dense) {
  const int64_t rows = side.by_candidate ? candidates : 1;
  const CtrBlock& block = side.block;
  LARR_RETURN_IF_ERROR(CheckSize(fmt::format("{}_ids", side.name),
                                 side.ids.size(), rows * block.id_count));
  LARR_RETURN_IF_ERROR(CheckSize(fmt::format("{}_dense", side.name),
                                 side.dense.size(), rows * block.dense_count));
  for (size_t i = 0; i < side.ids.size(); ++i) {
    const int64_t column =
        block.first_id + static_cast<int64_t>(i) % block.id_count;
    if (side.ids[i] < 0 || side.ids[i] >= layout.table_rows[column])
      return absl::InvalidArgumentError(
          fmt::format("{}_ids[{}] is {}; its table has {} rows", side.name, i,
                      side.ids[i], layout.table_rows[column]));
  }
  for (int64_t n = 0; n < candidates; ++n) {
    const int64_t row = side.by_candidate ? n : 0;
    std::copy_n(side.ids.begin() + row * block.id_count, block.id_count,
                ids + n * layout.id_count() + block.first_id);
    std::copy_n(side.dense.begin() + row * block.dense_count, block.dense_count,
                dense + n * layout.dense_count + block.first_dense);
  }
  return absl::OkStatus();
}

// Gathers the vectors that are there; each gets a row of `texts`.
class SceneBuilder {
 public:
  SceneBuilder(const CtrLayout& layout, int64_t candidates)
      : layout_(layout),
        candidates_(candidates),
        index_(candidates * layout.slot_count(), -1) {}

  absl::Status Add(std::string_view name, const std::vector<int64_t>& slots,
                   const std::vector<const float*>& vectors,
                   bool by_candidate) {
    const int64_t r = layout_.slot_count();
    const int64_t count = static_cast<int64_t>(slots.size());
    LARR_RETURN_IF_ERROR(CheckSize(fmt::format("{}_vectors", name),
                                   vectors.size(),
                                   (by_candidate ? candidates_ : 1) * count));
    for (size_t i = 0; i < vectors.size(); ++i) {
      if (vectors[i] == nullptr) continue;
      const int64_t slot = slots[static_cast<int64_t>(i) % count];
      const int64_t text = static_cast<int64_t>(slots_.size());
      slots_.push_back(slot);
      texts_.insert(texts_.end(), vectors[i], vectors[i] + layout_.text_dim);
      const int64_t n = static_cast<int64_t>(i) / count;
      const int64_t begin = by_candidate ? n : 0;
      const int64_t end = by_candidate ? n + 1 : candidates_;
      for (int64_t row = begin; row < end; ++row) index_[row * r + slot] = text;
    }
    return absl::OkStatus();
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

}  // namespace

Scorer::Scorer(std::unique_ptr<State> state) : state_(std::move(state)) {}
Scorer::Scorer(Scorer&&) noexcept = default;
Scorer& Scorer::operator=(Scorer&&) noexcept = default;
Scorer::~Scorer() = default;

absl::StatusOr<Scorer> Scorer::Open(const std::filesystem::path& folder,
                                    int threads) {
  at::set_num_threads(threads);
  auto state = std::make_unique<State>();
  LARR_ASSIGN_OR_RETURN(state->loaded, LoadCtrModel(folder));
  const auto& slots = state->loaded.model->layout().slots;
  for (size_t s = 0; s < slots.size(); ++s) {
    auto& side = slots[s] == config::v1::USER      ? state->user_slots
                 : slots[s] == config::v1::CONTEXT ? state->context_slots
                                                   : state->poi_slots;
    side.push_back(static_cast<int64_t>(s));
  }
  return Scorer(std::move(state));
}

const config::v1::CtrModelDescription& Scorer::description() const {
  return state_->loaded.description;
}

const CtrLayout& Scorer::layout() const {
  return state_->loaded.model->layout();
}

absl::StatusOr<ScorerOutput> Scorer::Score(const ScorerInput& input) const {
  return GuardTorch("scoring", [&]() -> absl::StatusOr<ScorerOutput> {
    const c10::InferenceMode inference;
    // oneDNN asks OpenMP, whose setting is the thread's own: take over Open's.
    at::internal::lazy_init_num_threads();
    const CtrLayout& layout = this->layout();
    const int64_t n = input.candidates;
    CtrBatch batch;
    batch.ids = torch::empty({n, layout.id_count()}, torch::kInt64);
    batch.dense = torch::empty({n, layout.dense_count});
    const std::array<SideInput, 4> sides = {
        {{"user", layout.blocks[0], input.user_ids, input.user_dense, false},
         {"context", layout.blocks[1], input.context_ids, input.context_dense,
          false},
         {"poi", layout.blocks[2], input.poi_ids, input.poi_dense, true},
         {"cross", layout.blocks[3], input.cross_ids, input.cross_dense,
          true}}};
    for (const SideInput& side : sides)
      LARR_RETURN_IF_ERROR(FillSide(side, layout, n,
                                    batch.ids.data_ptr<int64_t>(),
                                    batch.dense.data_ptr<float>()));
    if (layout.slot_count() > 0) {
      SceneBuilder scene(layout, n);
      LARR_RETURN_IF_ERROR(
          scene.Add("user", state_->user_slots, input.user_vectors, false));
      LARR_RETURN_IF_ERROR(scene.Add("context", state_->context_slots,
                                     input.context_vectors, false));
      LARR_RETURN_IF_ERROR(
          scene.Add("poi", state_->poi_slots, input.poi_vectors, true));
      batch.scene = scene.Finish();
    }
    ScorerOutput output{std::vector<float>(n), std::vector<float>(n)};
    if (n == 0) return output;
    const Tensor scores = state_->loaded.model->Predict(batch).contiguous();
    const float* score = scores.data_ptr<float>();
    for (int64_t i = 0; i < n; ++i) {
      output.ctr[i] = score[i * layout.tasks];
      if (layout.tasks > 1) output.ctcvr[i] = score[i * layout.tasks + 1];
    }
    return output;
  });
}

}  // namespace larr
