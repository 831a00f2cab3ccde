// SPDX-License-Identifier: Apache-2.0
#include <torch/utils.h>

#include <algorithm>
#include <optional>
#include <type_traits>
#include <vector>

#include "common/ctr/ctr_kernels.h"
#include "common/ctr/ple_split.h"
#include "common/ctr/row_scorer.h"
#include "common/ctr/scene_split.h"

namespace larr {
namespace {

using config::v1::CtrArchitecture;
using torch::Tensor;

// Candidates that go through the layers together. Fewer cost more calls: 128
// are 4 % slower in requests of 200, 64 are 15 %.
constexpr int64_t kRows = 256;
void Put(const float* from, int64_t n, float* to) { std::copy_n(from, n, to); }
void Put(const float* from, int64_t n, kernels::Bf16* to) {
  kernels::Round(n, from, to);
}

// T: what candidates' rows are computed in, float or kernels::Bf16.
// A state is [pool: float | columns of PLE's first level: T].
template <typename T>
class SplitScorer final : public RowScorer {
 public:
  explicit SplitScorer(const std::shared_ptr<const LoadedCtrModel>& loaded)
      : loaded_(loaded),
        layout_(loaded->model->layout()),
        request_slots_(layout_.SlotsOf(config::v1::USER)),
        poi_slots_(layout_.SlotsOf(config::v1::POI)),
        ple_(NamedTensors(*loaded->model), loaded->description.architecture(),
             layout_, kType) {
    const auto context = layout_.SlotsOf(config::v1::CONTEXT);
    request_slots_.insert(request_slots_.end(), context.begin(), context.end());
    if (layout_.slot_count() == 0) return;
    scene_.emplace(NamedTensors(*loaded->model),
                   loaded->description.architecture().encoder_heads(), kType);
    if (!poi_slots_.empty())
      pool_bytes_ = scene_->shape().size() * sizeof(float);
  }

  size_t poi_state_bytes() const override {
    // Pools stay aligned.
    return (pool_bytes_ + ple_.columns() * sizeof(T) + 15) / 16 * 16;
  }

  void MakePoiStates(const PoiColumns& pois, std::byte* states) const override {
    const c10::InferenceMode inference;
    for (int64_t first = 0; first < pois.count; first += kRows)
      MakeStates(pois, first, std::min(kRows, pois.count - first),
                 states + first * poi_state_bytes());
  }

  void Score(const RequestColumns& request,
             std::span<const std::byte* const> states,
             ScorerOutput& output) const override {
    const c10::InferenceMode inference;
    std::vector<float> pool;
    if (scene_) {
      pool.resize(scene_->shape().size());
      std::vector<const float*> vectors = request.user_vectors;
      vectors.insert(vectors.end(), request.context_vectors.begin(),
                     request.context_vectors.end());
      scene_->Pool(request_slots_, vectors, 1, /*with_agg=*/true,
                   reinterpret_cast<std::byte*>(pool.data()), 0);
    }
    const Tensor shared = SharedColumns(request);
    for (int64_t first = 0; first < request.candidates; first += kRows)
      ScoreRows(request, states, first,
                std::min(kRows, request.candidates - first), pool.data(),
                shared.const_data_ptr<float>(), output);
  }

 private:
  static constexpr auto kType =
      std::is_same_v<T, float> ? torch::kFloat32 : torch::kBFloat16;

  // Numbers of rows are multiples of 16: oneDNN makes code for each number, and
  // has made all of it after a few requests.
  static int64_t Padded(int64_t rows) { return (rows + 15) / 16 * 16; }

  // A block's columns of x, from its ids and numbers.
  template <typename U>
  void FillBlock(const CtrBlock& block, const int64_t* ids, const float* dense,
                 U* row) const {
    const EmbeddingTables& tables = loaded_->model->tables();
    const int64_t width = layout_.embedding_width;
    for (int64_t i = 0; i < block.id_count; ++i, row += width)
      Put(tables.Row(block.first_id + i, ids[i]), width, row);
    Put(dense, block.dense_count, row);
  }

  Tensor SharedColumns(const RequestColumns& request) const {
    const Tensor x = torch::empty({1, layout_.blocks[2].first_column});
    auto* row = x.data_ptr<float>();
    FillBlock(layout_.blocks[0], request.user_ids.data(),
              request.user_dense.data(), row);
    FillBlock(layout_.blocks[1], request.context_ids.data(),
              request.context_dense.data(),
              row + layout_.blocks[1].first_column);
    return ple_.RequestColumns(x).contiguous();
  }

  void MakeStates(const PoiColumns& pois, int64_t first, int64_t count,
                  std::byte* states) const {
    const CtrBlock& block = layout_.blocks[2];
    const Tensor x = torch::zeros({Padded(count), block.column_count});
    for (int64_t i = 0; i < count; ++i)
      FillBlock(block, pois.ids.data() + (first + i) * block.id_count,
                pois.dense.data() + (first + i) * block.dense_count,
                x.data_ptr<float>() + i * block.column_count);
    const Tensor columns = ple_.PoiColumns(x);
    const size_t bytes = poi_state_bytes();
    for (int64_t i = 0; i < count; ++i)
      Put(columns.const_data_ptr<float>() + i * ple_.columns(), ple_.columns(),
          reinterpret_cast<T*>(states + i * bytes + pool_bytes_));
    if (pool_bytes_ == 0) return;
    const size_t texts = poi_slots_.size();
    scene_->Pool(poi_slots_,
                 std::span(pois.vectors).subspan(first * texts, count * texts),
                 count, /*with_agg=*/false, states, bytes);
  }

  void ScoreRows(const RequestColumns& request,
                 std::span<const std::byte* const> states, int64_t first,
                 int64_t count, const float* pool, const float* shared,
                 ScorerOutput& output) const {
    const CtrBlock& block = layout_.blocks[3];
    const int64_t rows = Padded(count);
    const int64_t width = layout_.input_width() - block.first_column;
    const Tensor x = torch::zeros({rows, width}, kType);
    auto* const row = static_cast<T*>(x.data_ptr());
    std::vector<const T*> own(rows, nullptr);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t n = first + i;
      FillBlock(block, request.cross_ids.data() + n * block.id_count,
                request.cross_dense.data() + n * block.dense_count,
                row + i * width);
      own[i] = reinterpret_cast<const T*>(states[n] + pool_bytes_);
    }
    if (scene_)
      x.narrow(1, block.column_count, width - block.column_count)
          .copy_(Scene(states.subspan(first, count), rows, pool));
    const std::vector<Tensor> scores =
        ple_.template Predict<T>(x, shared, own.data());
    std::copy_n(scores[0].const_data_ptr<float>(), count,
                output.ctr.begin() + first);
    if (scores.size() > 1)
      std::copy_n(scores[1].const_data_ptr<float>(), count,
                  output.ctcvr.begin() + first);
  }

  // e_s [rows, E] of candidates with these states; of no one behind them.
  Tensor Scene(std::span<const std::byte* const> states, int64_t rows,
               const float* pool) const {
    const kernels::PoolShape& shape = scene_->shape();
    std::vector<const float*> own(rows, nullptr);
    if (pool_bytes_ > 0)
      for (size_t i = 0; i < states.size(); ++i)
        own[i] = reinterpret_cast<const float*>(states[i]);
    const Tensor attention =
        torch::empty({rows, shape.heads * shape.width}, kType);
    kernels::MergePools(shape, rows, pool, own.data(),
                        static_cast<T*>(attention.data_ptr()));
    return scene_->Finish(attention);
  }

  const std::shared_ptr<const LoadedCtrModel> loaded_;
  const CtrLayout& layout_;
  std::vector<int64_t> request_slots_;  // of user, then context
  const std::vector<int64_t> poi_slots_;
  const PleSplit ple_;
  std::optional<SceneSplit> scene_;
  size_t pool_bytes_ = 0;  // of a state; 0 if POIs have no texts
};

}  // namespace

bool CanSplit(const CtrArchitecture& architecture) {
  if (IsSingleTask(architecture.kind())) return false;
  return architecture.kind() != CtrArchitecture::LARR ||
         architecture.readout() == CtrArchitecture::AGG;
}

std::unique_ptr<RowScorer> MakeSplitScorer(
    const std::shared_ptr<const LoadedCtrModel>& loaded) {
  if (loaded->description.serve_in_bfloat16())
    return std::make_unique<SplitScorer<kernels::Bf16>>(loaded);
  return std::make_unique<SplitScorer<float>>(loaded);
}

}  // namespace larr
