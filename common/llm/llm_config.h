// SPDX-License-Identifier: Apache-2.0
//
// The shape of a language model, read from the `config.json` of its folder; the
// families are those of families.h. A setting that would change the mathematics
// and is not implemented is refused, never ignored.
//
// Threads: a value; copies are independent.
// Errors:  kNotFound         no such file
//          kInvalidArgument  not JSON, a field is missing or has a value that
//                            is not supported; the message names it
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "common/llm/families.h"
#include "common/llm/rotary.h"

namespace larr {

struct LlmConfig {
  int64_t vocab_size = 0;         // V: rows of the embedding
  int64_t hidden_size = 0;        // h
  int64_t intermediate_size = 0;  // I: width of the SwiGLU
  int64_t layers = 0;
  int64_t heads = 0;     // H: of queries
  int64_t kv_heads = 0;  // K: of keys and values; H is a multiple of it
  int64_t head_dim = 0;  // D
  // Tokens of the longest text; of models for longer ones 16,384, so that their
  // tables of positions stay small.
  int64_t max_positions = 0;
  double rope_theta = 10000;
  RopeScaling rope_scaling;
  double norm_epsilon = 1e-5;
  bool tied_head = false;  // The head is the embedding's own matrix.
  LlmFamily family;

  // The file's text, kept so that a checkpoint is written with every field
  // that the model came with.
  std::string json;
};

absl::StatusOr<LlmConfig> ReadLlmConfig(const std::filesystem::path& file);
absl::StatusOr<LlmConfig> ParseLlmConfig(const std::string& json,
                                         const std::string& file_name);

// `config.json` of the model as it is now: `json` with another vocabulary, the
// layers that are left, and the dtype of its weights, `bfloat16` or `float32`.
std::string LlmConfigJson(const LlmConfig& config, const std::string& dtype);

}  // namespace larr
