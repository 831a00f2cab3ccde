// SPDX-License-Identifier: Apache-2.0
//
// Batches of pairs to losses and gradients (paper eq. 10-20).
//
// Several ranks share a batch's texts. All have the vectors of all of them, and
// compute the whole loss and its gradient, of which each rank passes the rows
// of its texts back through the model: the sum over ranks of the parameters'
// gradients is that of one process. Negatives come from all ranks so.
//
// Ownership: refers to settings and group; they and what the model of texts
//            refers to must live on.
// Threads:   one at a time where gradients are asked for.
// Errors:    those of reading texts and of the ranks; c10::Error, callers use
//            GuardTorch
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/llm/pair_loss.h"
#include "common/llm/process_group.h"
#include "larr/config/v1/training.pb.h"
#include "services/stage/contrast_sampler.h"
#include "services/stage/text_model.h"

namespace larr::stage {

// What a batch of pairs amounts to, without gradients.
struct PairOutcome {
  double loss = 0;      // of eq. 14, 16 or 20
  torch::Tensor ranks;  // see PairLoss
  int64_t tokens = 0;   // of all texts, each counted once
};

class PairModel {
 public:
  // projection [embedding_dim, h] learns, on coordinates [h, h] of states.
  PairModel(const config::v1::ContrastConfig& config, TextModel text_model,
            torch::Tensor coordinates, torch::Tensor projection,
            ProcessGroup& group)
      : config_(config),
        text_model_(std::move(text_model)),
        coordinates_(std::move(coordinates)),
        projection_(std::move(projection)),
        group_(group) {}

  // Adds this rank's share of the gradients of `weight` times the loss, one of
  // eq. 21's terms; all ranks call it. The outcome is the whole batch's.
  // `after_backward` is told of each pass back through the model.
  absl::StatusOr<PairOutcome> Backward(
      const PairBatch& pairs, double weight,
      const std::function<void()>& after_backward) const;

  // Without gradients, and without other ranks.
  absl::StatusOr<PairOutcome> Evaluate(const PairBatch& pairs) const;

 private:
  // What the model reads: texts a, then texts b.
  absl::StatusOr<std::vector<TokenIds>> Read(const PairBatch& pairs) const;
  // [texts, embedding_dim] (eq. 10).
  torch::Tensor Encode(std::span<const TokenIds> texts) const;
  // The one place where the vectors of all pairs of a step meet: [2 n, d], of
  // texts a, then of texts b.
  PairLoss Compare(const torch::Tensor& vectors, const PairBatch& pairs) const;

  const config::v1::ContrastConfig& config_;
  const TextModel text_model_;
  const torch::Tensor coordinates_;
  const torch::Tensor projection_;
  ProcessGroup& group_;
};

}  // namespace larr::stage
