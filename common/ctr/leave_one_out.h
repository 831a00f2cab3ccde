// SPDX-License-Identifier: Apache-2.0
//
// What one candidate's score is made of, by the model's plain forward pass in
// float32: the score with each input in turn replaced by its trained default,
// and what the scene encoder attends to.
//
// Inputs are checked by `Scorer`; here they fit the layout.
// Threads: safe.
// Errors:  c10::Error; `Scorer` guards.
#pragma once

#include <vector>

#include "common/ctr/model_io.h"
#include "common/ctr/scorer_input.h"

namespace larr {

struct ScoreParts {
  // The score itself, then without each of the F ids, of the D numbers and of
  // the r texts, in the order of the layout: [1 + F + D + r]. An input that is
  // its default changes nothing.
  ScorerOutput scores;
  // What agg attends to, mean over heads: the r texts, then itself. They sum to
  // 1. Empty for a model without texts.
  std::vector<float> attention;
};

// REQUIRES: request.candidates == 1, poi.count == 1
ScoreParts LeaveOneOut(const LoadedCtrModel& loaded,
                       const RequestColumns& request, const PoiColumns& poi);

}  // namespace larr
