// SPDX-License-Identifier: Apache-2.0
//
// The rows of a batch as requests, as a scorer reads them: rows one after
// another that agree in all of user and context are candidates of one request.
//
// Ownership: vectors are those of the batch, which must outlive the requests.
// Threads:   pure.
#pragma once

#include <vector>

#include "common/ctr/ctr_model.h"
#include "common/ctr/layout.h"
#include "common/ctr/scorer_input.h"

namespace larr::bfloat16 {

// Candidate n is of POI n.
struct BatchRequest {
  RequestColumns columns;
  PoiColumns pois;
};

// In the order of the rows.
// REQUIRES: contiguous tensors that fit the layout, as CtrBatcher makes them.
std::vector<BatchRequest> RequestsOf(const CtrBatch& batch,
                                     const CtrLayout& layout);

}  // namespace larr::bfloat16
