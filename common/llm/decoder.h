// SPDX-License-Identifier: Apache-2.0
//
// The decoder: a packed batch of token ids to hidden states and logits.
//
// The lowest layers may be frozen: they run on the fast path
// (frozen_layers.h), and gradients stop above them. The other layers are
// differentiable: by the kernels of layer_ops.h on a CPU, by plain tensor
// operations elsewhere. The stream of residuals is float32; multiplications
// are in the dtype of the weights.
//
// The vocabulary is two tables with one memory: the rows that the model came
// with, and from `first_special` on those of special tokens, which may learn
// while the others do not.
//
// Ownership:  weights are shared with the caller: an optimizer that changes
//             them in place changes the decoder (but not its frozen layers).
// Threads:    const methods may be called concurrently while nothing learns.
// Errors:     c10::Error; callers use GuardTorch.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/llm/frozen_cache.h"
#include "common/llm/frozen_layers.h"
#include "common/llm/llm_config.h"
#include "common/llm/lora.h"
#include "common/llm/packed_batch.h"
#include "common/llm/rotary.h"
#include "common/llm/weights.h"

namespace larr {

// A tensor that learns.
struct TrainedTensor {
  std::string name;
  torch::Tensor tensor;  // a leaf; its memory is a part of LlmWeights
  bool is_new = false;   // rows of special tokens: their own learning rate
};

// Rows of embedding or head, [V, h] in two parts.
struct VocabularyTable {
  torch::Tensor known;    // [first_special, h]
  torch::Tensor special;  // [V - first_special, h]
};

class Decoder {
 public:
  // frozen_layers: the lowest ones never learn. With none frozen, all rows of
  // the vocabulary learn; else those of special tokens alone.
  Decoder(const LlmConfig& config, const LlmWeights& weights,
          int64_t first_special, int64_t frozen_layers);

  const LlmConfig& config() const { return config_; }
  const LlmWeights& weights() const { return weights_; }

  // Adapters on all linear layers that are not frozen: they learn instead of
  // weights and norms. Of the vocabulary special tokens' rows learn.
  void AddAdapters(const LoraOptions& options);
  // Adds the adapters to the weights, and goes on without them.
  void MergeAdapters();

  // Computes layers again in the backward pass instead of keeping what they
  // computed. The decoder must outlive the pass.
  void RecomputeActivations() { recompute_ = true; }

  // Keeps what the frozen layers make of a text, which they see alone then: it
  // must not depend on which texts are there already. Special tokens' rows of
  // the embedding do not learn then, not even through a tied head.
  // REQUIRES: the cache is of FrozenIdentity() and the model's width
  void CacheFrozenLayers(std::unique_ptr<FrozenCache> cache);
  // Hash of embedding and frozen layers.
  std::string FrozenIdentity() const;

  // Makes what may learn require gradients, and returns it. With
  // `with_vocabulary` false embedding and head stay as they are. After the
  // calls above.
  std::vector<TrainedTensor> Train(bool with_vocabulary);

  // [T, h], in the dtype of the weights: what the head and the projection read.
  // `added`, float32 [T, h] where it is defined, joins the stream above the
  // frozen layers: with none, the embedding.
  torch::Tensor Hidden(const PackedBatch& batch,
                       const torch::Tensor& added = {}) const;
  // [rows, V] float32, of rows of Hidden().
  torch::Tensor Logits(const torch::Tensor& hidden) const;

  // The rows that Logits multiplies by, with gradients to what learns of the
  // head. Of a NormHead they are computed anew: call it once a batch.
  VocabularyTable head() const;

  // Plain tensor operations on CPUs, too: what the kernels are tested against.
  void UsePlainOperations() { plain_ = true; }

 private:
  torch::Tensor Embed(const torch::Tensor& ids) const;
  // The stream after the frozen layers.
  torch::Tensor Frozen(const PackedBatch& batch) const;
  torch::Tensor Layer(size_t i, const PackedBatch& batch,
                      torch::Tensor x) const;
  // What learns in a layer.
  std::vector<torch::Tensor> Learned(size_t i) const;
  bool Fused(const torch::Tensor& x) const;
  torch::Tensor Attend(const PackedBatch& batch,
                       const torch::Tensor& qkv) const;
  torch::Tensor Gated(const torch::Tensor& gate_up) const;
  torch::Tensor Norm(const torch::Tensor& x, const torch::Tensor& weight) const;

  LlmConfig config_;
  LlmWeights weights_;
  RotaryTable rotary_;
  FrozenLayers frozen_;
  VocabularyTable embedding_;
  VocabularyTable head_;
  std::vector<LayerAdapters> adapters_;  // of all layers; empty: none
  std::unique_ptr<FrozenCache> cache_;
  bool recompute_ = false;
  bool plain_ = false;
};

}  // namespace larr
