// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/scorer.h"

#include <ATen/Parallel.h>

#include <string_view>
#include <utility>
#include <vector>

#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/ctr/leave_one_out.h"
#include "common/ctr/model_io.h"
#include "common/ctr/row_scorer.h"
#include "common/tensors/torch_status.h"

namespace larr {
namespace {

absl::Status CheckSize(std::string_view side, std::string_view what,
                       size_t size, int64_t expected) {
  if (static_cast<int64_t>(size) == expected) return absl::OkStatus();
  return Invalid("{}_{} has {} entries; the model takes {}", side, what, size,
                 expected);
}

// Whether a block's columns fit `rows` rows.
absl::Status CheckBlock(std::string_view side, const CtrLayout& layout,
                        const CtrBlock& block, int64_t rows,
                        const std::vector<int64_t>& ids,
                        const std::vector<float>& dense) {
  LARR_RETURN_IF_ERROR(
      CheckSize(side, "ids", ids.size(), rows * block.id_count));
  LARR_RETURN_IF_ERROR(
      CheckSize(side, "dense", dense.size(), rows * block.dense_count));
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t i = 0; i < block.id_count; ++i) {
      const int64_t id = ids[r * block.id_count + i];
      const int64_t table = layout.table_rows[block.first_id + i];
      if (id >= 0 && id < table) continue;
      return Invalid("{}_ids[{}] is {}; its table has {} rows", side,
                     r * block.id_count + i, id, table);
    }
  }
  return absl::OkStatus();
}

absl::Status CheckVectors(std::string_view side, const CtrLayout& layout,
                          config::v1::Side of, int64_t rows,
                          const std::vector<const float*>& vectors) {
  return CheckSize(side, "vectors", vectors.size(),
                   rows * static_cast<int64_t>(layout.SlotsOf(of).size()));
}

absl::Status Check(const PoiColumns& pois, const CtrLayout& layout) {
  LARR_RETURN_IF_ERROR(CheckBlock("poi", layout, layout.blocks[2], pois.count,
                                  pois.ids, pois.dense));
  return CheckVectors("poi", layout, config::v1::POI, pois.count, pois.vectors);
}

absl::Status Check(const RequestColumns& request, const CtrLayout& layout) {
  const auto& [user, context, poi, cross] = layout.blocks;
  LARR_RETURN_IF_ERROR(CheckBlock("user", layout, user, 1, request.user_ids,
                                  request.user_dense));
  LARR_RETURN_IF_ERROR(CheckBlock("context", layout, context, 1,
                                  request.context_ids, request.context_dense));
  LARR_RETURN_IF_ERROR(CheckBlock("cross", layout, cross, request.candidates,
                                  request.cross_ids, request.cross_dense));
  LARR_RETURN_IF_ERROR(
      CheckVectors("user", layout, config::v1::USER, 1, request.user_vectors));
  return CheckVectors("context", layout, config::v1::CONTEXT, 1,
                      request.context_vectors);
}

}  // namespace

Scorer::Scorer(std::shared_ptr<const LoadedCtrModel> loaded,
               std::unique_ptr<RowScorer> rows)
    : loaded_(std::move(loaded)), rows_(std::move(rows)) {}
Scorer::Scorer(Scorer&&) noexcept = default;
Scorer& Scorer::operator=(Scorer&&) noexcept = default;
Scorer::~Scorer() = default;

absl::StatusOr<Scorer> Scorer::Open(const std::filesystem::path& folder,
                                    int threads) {
  at::set_num_threads(threads);
  LARR_ASSIGN_OR_RETURN(auto read, LoadCtrModel(folder));
  const auto loaded = std::make_shared<const LoadedCtrModel>(std::move(read));
  return GuardTorch("preparing the model of " + folder.string(),
                    [&]() -> absl::StatusOr<Scorer> {
                      return Scorer(loaded,
                                    CanSplit(loaded->description.architecture())
                                        ? MakeSplitScorer(loaded)
                                        : MakePlainScorer(loaded));
                    });
}

const config::v1::CtrModelDescription& Scorer::description() const {
  return loaded_->description;
}

const CtrLayout& Scorer::layout() const { return loaded_->model->layout(); }

size_t Scorer::poi_state_bytes() const { return rows_->poi_state_bytes(); }

absl::Status Scorer::MakePoiStates(const PoiColumns& pois,
                                   std::span<std::byte> states) const {
  LARR_RETURN_IF_ERROR(Check(pois, layout()));
  LARR_RETURN_IF_ERROR(
      CheckSize("poi", "states", states.size(),
                pois.count * static_cast<int64_t>(poi_state_bytes())));
  return GuardTorch("preparing POIs", [&] {
    at::internal::lazy_init_num_threads();
    rows_->MakePoiStates(pois, states.data());
    return absl::OkStatus();
  });
}

absl::StatusOr<ScorerOutput> Scorer::Score(
    const RequestColumns& request,
    std::span<const std::byte* const> states) const {
  LARR_RETURN_IF_ERROR(Check(request, layout()));
  LARR_RETURN_IF_ERROR(
      CheckSize("poi", "states", states.size(), request.candidates));
  return GuardTorch("scoring", [&]() -> absl::StatusOr<ScorerOutput> {
    // oneDNN asks OpenMP, whose setting is the thread's own: take over Open's.
    at::internal::lazy_init_num_threads();
    ScorerOutput output{std::vector<float>(request.candidates),
                        std::vector<float>(request.candidates)};
    rows_->Score(request, states, output);
    return output;
  });
}

absl::StatusOr<ScoreParts> Scorer::Explain(const RequestColumns& request,
                                           const PoiColumns& poi) const {
  LARR_RETURN_IF_ERROR(Check(request, layout()));
  LARR_RETURN_IF_ERROR(Check(poi, layout()));
  return GuardTorch("explaining", [&]() -> absl::StatusOr<ScoreParts> {
    at::internal::lazy_init_num_threads();
    return LeaveOneOut(*loaded_, request, poi);
  });
}

}  // namespace larr
