// SPDX-License-Identifier: Apache-2.0
//
// An embedder without a language model, to compare one with: whether it takes
// an LLM. A text is the bag of its words and of its pairs of neighbouring
// words, hashed into columns; a column weighs as much as it is rare (inverse
// document frequency), and a text has length 1. What the language model's last
// hidden state is to the projection of eq. 10, this is here.
//
// A word is a run of letters and digits in lower case; bytes that are not ASCII
// count as letters and stay as they are. The slot's tokens are words of the
// text too, so that a text knows its slot.
//
// A folder holds `larr.json` and `projection.safetensors` as a checkpoint does
// (checkpoint.h), and `word_weights.safetensors`.
//
// Threads: const methods may be called concurrently.
// Errors:  those of checkpoint.h and safetensors.h
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "common/llm/checkpoint.h"
#include "common/llm/tokenizer.h"

namespace larr {

class BagOfWords {
 public:
  static constexpr int64_t kColumns = 4096;

  // Learns how rare words are. REQUIRES: the texts are distinct
  static BagOfWords Learn(std::span<const std::string_view> texts);
  // weights float32 [kColumns]
  explicit BagOfWords(torch::Tensor weights) : weights_(std::move(weights)) {}

  const torch::Tensor& weights() const { return weights_; }
  // The columns of a text's words and neighbours, each as often as it is there.
  static TokenIds ColumnsOf(std::string_view text);
  // float32 [texts, kColumns]. A text without a word is all 0.
  torch::Tensor States(std::span<const TokenIds> columns) const;
  torch::Tensor States(std::span<const std::string> texts) const;

 private:
  torch::Tensor weights_;
};

// Writes the files into an existing folder. head.projection is
// [embedding_dim, kColumns].
absl::Status WriteBagOfWords(const std::filesystem::path& folder,
                             const BagOfWords& words, EmbedderHead head);

class BagOfWordsEmbedder {
 public:
  static absl::StatusOr<BagOfWordsEmbedder> Open(
      const std::filesystem::path& folder);

  int dim() const { return head_.config.embedding_dim(); }
  // SHA-256 over weights, projection and slots.
  const std::string& fingerprint() const { return fingerprint_; }
  // float32 [texts, dim()]
  torch::Tensor Embed(std::span<const std::string> texts) const;

 private:
  BagOfWordsEmbedder(BagOfWords words, EmbedderHead head,
                     std::string fingerprint);

  BagOfWords words_;
  EmbedderHead head_;
  std::string fingerprint_;
};

}  // namespace larr
