// SPDX-License-Identifier: Apache-2.0
//
// Texts to vectors: the last hidden state at a text's last token, the end
// token of its slot, or the mean over its tokens, through the projection of
// stage 2 (eq. 10 and 22).
//
// Texts are tokenised on a thread of their own, ahead of the model. Within a
// few thousand texts the order is by length, and batches are filled by tokens,
// not by texts; results come in the order of the input all the same. A vector
// does not depend on what else is in its batch beyond rounding, and with
// `deterministic` not at all: then every batch is filled up to the same number
// of rows, so that a row always meets the same arithmetic.
//
// Memory:   weights, one batch, and a few thousand texts; not more for more.
// Threads:  Embed may be called by one thread at a time.
// Errors:   those of checkpoint.h; kInvalidArgument names a text that is empty
//           or not UTF-8 by its position.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "larr/config/v1/training.pb.h"

namespace larr {

struct EmbedderOptions {
  config::v1::Precision precision = config::v1::BF16;
  // 0: 512 for each thread. On two cores as fast as 4096, in less memory.
  int64_t tokens_per_batch = 0;
  bool deterministic = false;
  // Threads of LibTorch, a setting of the whole process. 0: leave them.
  int threads = 0;
};

class Embedder {
 public:
  // A stretch of results.
  struct Result {
    int64_t first = 0;               // position of its first text
    std::span<const float> vectors;  // [texts, dim()]
    int64_t tokens = 0;              // read by the model for it
  };
  // Called in order, on the caller's thread. An error of it ends the work.
  using Sink = std::function<absl::Status(const Result&)>;

  // Opens a checkpoint with `larr.json`.
  // Errors: kInvalidArgument  the tokenizer lacks the special tokens of a slot,
  //                           or has others where the model learned them
  static absl::StatusOr<Embedder> Open(const std::filesystem::path& folder,
                                       const EmbedderOptions& options);
  Embedder(Embedder&&) noexcept;
  Embedder& operator=(Embedder&&) noexcept;
  ~Embedder();

  int dim() const;
  // See EmbedderFingerprint in checkpoint.h.
  const std::string& fingerprint() const;

  absl::Status Embed(std::span<const std::string> texts, const Sink& sink);

 private:
  struct Impl;
  explicit Embedder(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace larr
