// SPDX-License-Identifier: Apache-2.0
//
// P5 (Geng et al. 2022) on our decoder, where the paper has T5: a language
// model that reads a prompt (p5_prompt.h) and, at the end of each question,
// says how likely the answer is yes.
//
// To each token's vector that of its whole word's number is added, a row of a
// table that learns and starts at zero: the model starts as it was. Frozen
// layers get none: the vectors join the stream above them, for no gradient
// would reach a table below.
//
// As a folder: the language model (checkpoint.h), `whole_word.safetensors` with
// `whole_word` [512, h] float32, and `p5.textproto`, the settings (P5Config).
//
// Loss: P5's, cross entropy over the whole vocabulary: answers are text. The
// score is P(yes) / (P(yes) + P(no)).
//
// Threads: const methods may be called concurrently while nothing learns.
// Errors:  those of checkpoint.h and safetensors.h; c10::Error, callers use
//          GuardTorch
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "common/llm/checkpoint.h"
#include "common/llm/decoder.h"
#include "common/llm/p5_prompt.h"
#include "common/llm/packed_batch.h"
#include "larr/config/v1/training.pb.h"

namespace larr {

// N prompts of equally many tasks, packed.
struct P5Batch {
  PackedBatch batch;    // T tokens
  torch::Tensor words;  // int64 [T]
  torch::Tensor asked;  // int64 [tasks * N] rows, those of the first task first
  int64_t tasks = 0;
};

// REQUIRES: there is a prompt
P5Batch MakeP5Batch(std::span<const P5Prompt> prompts);

class P5Model {
 public:
  // A language model's folder, and a table of zeros.
  static absl::StatusOr<std::unique_ptr<P5Model>> Start(
      const std::filesystem::path& base_model,
      const config::v1::P5Config& config);
  // A folder that Write wrote.
  static absl::StatusOr<std::unique_ptr<P5Model>> Read(
      const std::filesystem::path& folder);
  // Into an existing folder.
  absl::Status Write(const std::filesystem::path& folder) const;

  // whole_words float32 [512, h].
  P5Model(Checkpoint checkpoint, torch::Tensor whole_words,
          config::v1::P5Config config);

  const config::v1::P5Config& config() const { return config_; }
  const Tokenizer& tokenizer() const { return checkpoint_.tokenizer; }

  // What learns, made ready for it.
  std::vector<TrainedTensor> Train();

  // Each task's mean of -log p(answer), float32 scalars. answers int64
  // [tasks, N], token ids.
  std::vector<torch::Tensor> Losses(const P5Batch& batch,
                                    const torch::Tensor& answers) const;

  // float32 [N, tasks], in the prompts' order, of at most `tokens_per_batch`
  // tokens at once, or one prompt.
  torch::Tensor Probabilities(std::span<const P5Prompt> prompts, int32_t yes,
                              int32_t no, int64_t tokens_per_batch) const;

 private:
  // [tasks * N, h]: what the head reads where answers are asked for.
  torch::Tensor States(const P5Batch& batch) const;

  const Checkpoint checkpoint_;
  const config::v1::P5Config config_;
  torch::Tensor whole_words_;
  Decoder decoder_;
};

}  // namespace larr
