// SPDX-License-Identifier: Apache-2.0
//
// Where stage 2's projection starts from, fitted to states of slot texts
// (common/llm/linear_start.h) and kept in the stage's work folder.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/llm/decoder.h"
#include "common/llm/tokenizer.h"
#include "services/stage/contrast_sampler.h"
#include "services/stage/stage.h"

namespace larr::stage {

// What the start is fitted with.
struct ContrastStartOptions {
  const config::v1::ContrastConfig& config;
  uint64_t seed = 0;
  std::filesystem::path file;  // where it is kept; empty: it is not
  std::string identity;        // of settings and inputs
};

// States of texts, float32 [n, h], and the slot that each text ends in: equal
// numbers for the same slot.
struct TextStates {
  torch::Tensor rows;
  std::vector<int32_t> slot;
};
using ReadStates = std::function<absl::StatusOr<TextStates>(
    const std::vector<std::string>& texts)>;

// The last hidden states of a language model. Refers to its arguments.
ReadStates StatesOf(const Tokenizer& tokenizer, const Decoder& decoder,
                    const config::v1::ContrastConfig& config,
                    ProgressWriter& progress);

double WeightOf(const config::v1::ContrastConfig& config, PairKind kind);

// The coordinates that the projection starts in, float32 [h, h]. Reads
// `options.file`, if it is of this identity; else fits them as `config.start`
// says and writes it. At random where there is no pair to fit, or
// `pairs_per_step` is 0.
// Errors: kInvalidArgument  there is no text to take principal components of
absl::StatusOr<torch::Tensor> ContrastStart(const ContrastStartOptions& options,
                                            const ContrastSampler& sampler,
                                            int64_t hidden,
                                            const ReadStates& read);

}  // namespace larr::stage
