// SPDX-License-Identifier: Apache-2.0
//
// The weights of a language model in memory, and their way from and to the
// files of a Hugging Face folder.
//
// Projections that read the same input are one matrix here (q, k, v; gate,
// up): one multiplication instead of three. Files keep the public names of the
// model's family.
//
// Memory: reading takes the weights once, as `dtype`, and one tensor of the
//         file at a time.
// Shapes: h hidden, H query heads, K key/value heads, D head, I SwiGLU, V rows.
// Errors: kNotFound         a file or a tensor is missing
//         kInvalidArgument  a tensor is unknown or has the wrong shape
//         kDataLoss         a file is damaged, or a weight is not finite
//         Messages name the file and the tensor.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "common/llm/llm_config.h"

namespace larr {

struct LayerWeights {
  torch::Tensor input_norm;  // [h]
  torch::Tensor qkv;         // [(H + 2K) D, h]
  torch::Tensor output;      // [h, H D]
  torch::Tensor post_norm;   // [h]
  torch::Tensor gate_up;     // [2I, h]: gate first
  torch::Tensor down;        // [h, I]
  // Undefined in families without them.
  torch::Tensor qkv_bias;     // [(H + 2K) D]
  torch::Tensor output_bias;  // [h]
};

struct LlmWeights {
  torch::Tensor embedding;  // [V, h]
  std::vector<LayerWeights> layers;
  torch::Tensor norm;  // [h]
  torch::Tensor head;  // [V, h]; the embedding itself where it is tied
};

// A tensor as files name it: a view of a part of the weights.
struct NamedWeight {
  std::string name;
  torch::Tensor view;
};
std::vector<NamedWeight> NamedWeights(const LlmConfig& config,
                                      const LlmWeights& weights);

// Reads the files of weight_files.h, converted to `dtype`.
absl::StatusOr<LlmWeights> ReadLlmWeights(const std::filesystem::path& folder,
                                          const LlmConfig& config,
                                          torch::ScalarType dtype);

// Writes `model.safetensors`, converted to `dtype`.
absl::Status WriteLlmWeights(const std::filesystem::path& folder,
                             const LlmConfig& config, const LlmWeights& weights,
                             torch::ScalarType dtype);

// Gives embedding and head `rows` rows. Rows from `first_new` on are the mean
// of the rows before it plus noise of a fiftieth of their deviation, seeded.
// REQUIRES: first_new <= rows, and rows >= config.vocab_size
void ResizeVocabulary(int64_t rows, int64_t first_new, uint64_t seed,
                      LlmConfig& config, LlmWeights& weights);

}  // namespace larr
