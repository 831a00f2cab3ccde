// SPDX-License-Identifier: Apache-2.0
//
// A recommender ready to serve. What a POI brings to every request is made
// once, its state, which callers keep; a request is then scored with the states
// of its candidates' POIs.
//
//   scorer.MakePoiStates(columns, states);
//   scorer.Score(request, {state of candidate 0, state of candidate 1, ...})
//
// The model's description chooses how (row_scorer.h): split where that is
// exact, else by the plain forward pass.
//
// Units:      probabilities; vectors are float32 as the snapshot holds them.
// Ownership:  owns the model; keeps nothing of a request.
// Threads:    const methods may be called from any thread at once. The threads
//             that one call computes with are set for the whole process by
//             Open.
// Errors:     kNotFound, kDataLoss   Open: a file is missing or damaged
//             kInvalidArgument       Open: tensors and description disagree;
//                                    else sizes that do not fit the layout or
//                                    ids beyond their table, by field
//             kInternal              LibTorch failed
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

#include "common/ctr/layout.h"
#include "common/ctr/scorer_input.h"
#include "larr/config/v1/model.pb.h"

namespace larr {

class RowScorer;
struct LoadedCtrModel;

class Scorer {
 public:
  // Loads a model folder. `threads` is what one call computes with.
  static absl::StatusOr<Scorer> Open(const std::filesystem::path& folder,
                                     int threads);
  Scorer(Scorer&&) noexcept;
  Scorer& operator=(Scorer&&) noexcept;
  ~Scorer();

  const config::v1::CtrModelDescription& description() const;
  const CtrLayout& layout() const;

  // Size of a POI's state. States are good for this scorer alone.
  size_t poi_state_bytes() const;

  // REQUIRES: states.size() == pois.count * poi_state_bytes()
  absl::Status MakePoiStates(const PoiColumns& pois,
                             std::span<std::byte> states) const;

  // states[n]: of candidate n's POI; aligned as by operator new.
  // REQUIRES: states.size() == request.candidates
  absl::StatusOr<ScorerOutput> Score(
      const RequestColumns& request,
      std::span<const std::byte* const> states) const;

 private:
  Scorer(std::shared_ptr<const LoadedCtrModel> loaded,
         std::unique_ptr<RowScorer> rows);
  std::shared_ptr<const LoadedCtrModel> loaded_;
  std::unique_ptr<RowScorer> rows_;
};

}  // namespace larr
