// SPDX-License-Identifier: Apache-2.0
//
// A language model as a folder in Hugging Face layout: `config.json`, weights
// in safetensors, a tokenizer. A model that went through stage 2 is an
// embedder: it also has `larr.json` (larr.config.v1.EmbedderConfig as JSON)
// and `projection.safetensors`.
//
// Threads: a value; not for concurrent changes.
// Errors:  those of llm_config.h, weights.h and tokenizer.h, and
//          kFailedPrecondition  an embedder is asked for, but `larr.json` is
//                               missing
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "common/llm/llm_config.h"
#include "common/llm/tokenizer.h"
#include "common/llm/weights.h"
#include "larr/config/v1/model.pb.h"
#include "larr/config/v1/training.pb.h"

namespace larr {

inline constexpr char kLlmConfigFile[] = "config.json";
inline constexpr char kProjectionFile[] = "projection.safetensors";

struct Checkpoint {
  LlmConfig config;
  LlmWeights weights;
  Tokenizer tokenizer;
  std::filesystem::path folder;  // Where it was read.
};

// What makes a language model an embedder.
struct EmbedderHead {
  config::v1::EmbedderConfig config;
  torch::Tensor projection;  // float32 [embedding_dim, h], eq. 10
};

// The numbers to compute in; unspecified means BF16.
torch::ScalarType DtypeOf(config::v1::Precision precision);

absl::StatusOr<Checkpoint> ReadCheckpoint(const std::filesystem::path& folder,
                                          torch::ScalarType dtype);
// `larr.json` alone.
absl::StatusOr<config::v1::EmbedderConfig> ReadEmbedderConfig(
    const std::filesystem::path& folder);
absl::StatusOr<EmbedderHead> ReadEmbedderHead(
    const std::filesystem::path& folder, int64_t hidden_size);
// `larr.json` and the projection.
absl::Status WriteEmbedderHead(const std::filesystem::path& folder,
                               const EmbedderHead& head);

// `<name>` and `</name>` of every slot, in order: their special tokens.
std::vector<std::string> SlotTokens(std::span<const std::string> slots);

// Adds the slots' special tokens, and rows of embedding and head for those
// that are new. Returns the lowest id of a slot's token: rows from it on may
// learn apart from the others.
// Errors: kInvalidArgument  the tokens have ids below those of other tokens
absl::StatusOr<int64_t> AddSlots(std::span<const std::string> slots,
                                 uint64_t seed, Checkpoint& checkpoint);

// Keeps the lowest layers alone, with the model's last norm above them.
// REQUIRES: 0 < layers <= checkpoint.config.layers
void KeepLowestLayers(int64_t layers, Checkpoint& checkpoint);

// Writes the files into an existing folder: the weights as `dtype`, the
// tokenizer, and what else `transformers` reads of the folder that the model
// came from. `head` may be null.
absl::Status WriteCheckpoint(const std::filesystem::path& folder,
                             const Checkpoint& checkpoint,
                             torch::ScalarType dtype, const EmbedderHead* head);

// Identity of the vectors that an embedder makes: SHA-256 over its weights,
// projection, pooling, tokenizer, slots and the precision.
absl::StatusOr<std::string> EmbedderFingerprint(
    const std::filesystem::path& folder, config::v1::Precision precision);

// At most `max` tokens: the last one, a slot's end, is kept, and what stands
// before it is cut.
void CutTokens(int64_t max, TokenIds& ids);

}  // namespace larr
