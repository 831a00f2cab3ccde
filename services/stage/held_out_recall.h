// SPDX-License-Identifier: Apache-2.0
//
// How well the pairs that training never sees are found: recall@k, for each
// kind of pair. Both texts of a pair are sought among the texts of the other
// side; a text that is no negative (contrast_sampler.h) is no candidate.
//
// As JSON, for each kind:
//
//   pairs, candidates   texts to choose from, the right one included; a mean
//   loss                of eq. 14, 16 or 20
//   recall@1, 5, 10     share of texts whose partner is among the nearest k,
//                       ties counted against it, a mean of both directions
//   chance@1, 5, 10     the recall of a random order
//
// Threads: one at a time.
// Errors:  those of pair_model.h
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "services/stage/contrast_sampler.h"
#include "services/stage/pair_model.h"

namespace larr::stage {

class HeldOutRecall {
 public:
  // Refers to `model`. Kinds of fewer than two held-out pairs are left out.
  HeldOutRecall(const ContrastSampler& sampler,
                const std::vector<PairKind>& kinds, const PairModel& model);

  // {kind: {"composed": of texts as training composes them,
  //         "complete": of texts with all their slots}}
  // `when` says in the log which model that is.
  absl::StatusOr<nlohmann::ordered_json> Report(const std::string& when) const;

  // {kind: of texts as training composes them}
  absl::StatusOr<nlohmann::ordered_json> Composed() const;

 private:
  struct Held {
    PairKind kind;
    PairBatch composed, complete;
  };
  const PairModel& model_;
  std::vector<Held> held_;
};

}  // namespace larr::stage
