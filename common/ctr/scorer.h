// SPDX-License-Identifier: Apache-2.0
//
// A recommender ready to serve: scores the candidates of one request by the
// plain forward pass (paper eq. 22-26), the specification of every faster way.
//
// Units:      probabilities; vectors are float32 as the snapshot holds them.
// Ownership:  owns the model; keeps nothing of a request.
// Threads:    Score may be called from any thread at once. The threads that one
//             call computes with are set for the whole process by Open.
// Errors:     kNotFound, kDataLoss   Open: a file is missing or damaged
//             kInvalidArgument       Open: tensors and description disagree
//             kInternal              Score: LibTorch failed
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "common/ctr/layout.h"
#include "larr/config/v1/model.pb.h"

namespace larr {

// One request, encoded by `TabularEncoder`: N candidates, block sizes as in
// `Scorer::layout()`. Row-major where two-dimensional.
struct ScorerInput {
  int64_t candidates = 0;  // N; may be 0.
  // One user and one context.
  std::vector<int64_t> user_ids, context_ids;
  std::vector<float> user_dense, context_dense;
  // [N, ids or numbers of the block].
  std::vector<int64_t> poi_ids, cross_ids;
  std::vector<float> poi_dense, cross_dense;
  // Vectors of `text_dim` floats by scene feature of the side, in the order of
  // `spec.scene_features`; null where there is none: its default stands in.
  // [of the user], [of the context], [N, of the POI]. Empty without texts.
  std::vector<const float*> user_vectors, context_vectors, poi_vectors;
};

struct ScorerOutput {
  std::vector<float> ctr;    // [N]
  std::vector<float> ctcvr;  // [N]; zeros for a model without an order task.
};

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

  // Sizes that do not fit the layout are kInvalidArgument, naming the field;
  // ids beyond their table, too.
  absl::StatusOr<ScorerOutput> Score(const ScorerInput& input) const;

 private:
  struct State;
  explicit Scorer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace larr
