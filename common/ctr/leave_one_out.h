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

#include "common/ctr/model_io.h"
#include "common/ctr/scorer_input.h"

namespace larr {

// REQUIRES: request.candidates == 1, poi.count == 1
ScoreParts LeaveOneOut(const LoadedCtrModel& loaded,
                       const RequestColumns& request, const PoiColumns& poi);

}  // namespace larr
