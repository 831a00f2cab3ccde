// SPDX-License-Identifier: Apache-2.0
//
// One way to compute a model's scores. What a POI brings to every request is
// made once, its state: bytes of a fixed size that mean something to the
// scorer that made them alone.
//
// Inputs are checked by `Scorer`; here they fit the layout.
// Threads: safe.
// Errors:  c10::Error; `Scorer` guards.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "common/ctr/model_io.h"
#include "common/ctr/scorer_input.h"

namespace larr {

class RowScorer {
 public:
  virtual ~RowScorer() = default;

  virtual size_t poi_state_bytes() const = 0;

  // states: count * poi_state_bytes().
  virtual void MakePoiStates(const PoiColumns& pois,
                             std::byte* states) const = 0;

  // states[n]: of candidate n's POI. `output` has N places.
  virtual void Score(const RequestColumns& request,
                     std::span<const std::byte* const> states,
                     ScorerOutput& output) const = 0;
};

// The forward pass of the model itself (paper eq. 22-26) over all rows: the
// specification, and the only way for a model that cannot be split. A state is
// the POI's columns.
std::unique_ptr<RowScorer> MakePlainScorer(
    const std::shared_ptr<const LoadedCtrModel>& loaded);

// Whether `MakeSplitScorer` takes a model: one without texts, or one that reads
// the agg position (readout `AGG`).
bool CanSplit(const config::v1::CtrArchitecture& architecture);

// The same scores with what does not depend on the candidate taken out of its
// rows: exact but for rounding. Attention from the agg position is a sum over
// texts, and PLE's first level is linear before ReLU, so both are summed over
// user and context once for each request, over a POI once, its state, and a
// candidate adds its crosses and the layers behind.
// REQUIRES: CanSplit
std::unique_ptr<RowScorer> MakeSplitScorer(
    const std::shared_ptr<const LoadedCtrModel>& loaded);

}  // namespace larr
