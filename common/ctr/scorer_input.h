// SPDX-License-Identifier: Apache-2.0
//
// What a scorer reads and gives. Input is encoded by `TabularEncoder`: block
// sizes as in `CtrLayout`, row-major where two-dimensional. Vectors are
// `text_dim` floats by scene feature of the side, in the order of
// `spec.scene_features`; null where there is none: the feature's trained
// default stands in. Models without texts have no vectors.
//
// Ownership: vectors are borrowed.
// Threads:   values.
#pragma once

#include <cstdint>
#include <vector>

namespace larr {

// K POIs, the same for every request.
struct PoiColumns {
  int64_t count = 0;                  // K
  std::vector<int64_t> ids;           // [K, ids of the POI block]
  std::vector<float> dense;           // [K, numbers of the POI block]
  std::vector<const float*> vectors;  // [K, scene features of the POI]
};

// One request: N candidates of one user in one context.
struct RequestColumns {
  int64_t candidates = 0;  // N; may be 0
  std::vector<int64_t> user_ids, context_ids;
  std::vector<float> user_dense, context_dense;
  std::vector<const float*> user_vectors, context_vectors;
  std::vector<int64_t> cross_ids;  // [N, ids of the cross block]
  std::vector<float> cross_dense;  // [N, numbers of the cross block]
};

// [N] each.
struct ScorerOutput {
  std::vector<float> ctr;
  std::vector<float> ctcvr;  // Zeros for a model without an order task.
};

// What one candidate's score is made of (leave_one_out.h).
struct ScoreParts {
  // The score itself, then without each of the F ids, of the D numbers and of
  // the r texts, in the order of the layout: [1 + F + D + r]. An input that is
  // its default changes nothing.
  ScorerOutput scores;
  // What agg attends to, mean over heads: the r texts, then itself. They sum to
  // 1. Empty for a model without texts.
  std::vector<float> attention;
};

}  // namespace larr
