// SPDX-License-Identifier: Apache-2.0
//
// Where stage 2's projection starts from, fitted to states of slot texts
// (common/llm/linear_start.h) and kept in the stage's work folder.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/stage/contrast_sampler.h"
#include "services/stage/stage.h"
#include "services/stage/text_model.h"

namespace larr::stage {

// What the start is fitted with.
struct ContrastStartOptions {
  const config::v1::ContrastConfig& config;
  uint64_t seed = 0;
  std::filesystem::path file;  // where it is kept
  std::string identity;        // of settings and inputs
};

// The slot that each text ends in: equal numbers for the same slot.
std::vector<int32_t> SlotsOfTexts(const std::vector<std::string>& texts);

// Texts of all slots, from both sides of pairs, that a start is fitted to.
std::vector<std::string> StartTexts(const ContrastSampler& sampler);

double WeightOf(const config::v1::ContrastConfig& config, PairKind kind);

// The coordinates that the projection starts in, float32 [h, h]. Reads
// `options.file`, if it is of this identity; else fits them as `config.start`
// says and writes it. At random where there is no pair to fit, or
// `pairs_per_step` is 0.
// Errors: kInvalidArgument  there is no text to take principal components of
absl::StatusOr<torch::Tensor> ContrastStart(const ContrastStartOptions& options,
                                            const ContrastSampler& sampler,
                                            const TextModel& model,
                                            ProgressWriter& progress);

}  // namespace larr::stage
