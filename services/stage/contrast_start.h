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

// What a start is fitted to: texts of single slots, which the pairs name by
// their places, then texts as training composes them. `slot` is equal for texts
// that end in the same slot, of one kind.
struct StartTexts {
  std::vector<std::string> texts;
  std::vector<int32_t> slot;
  decltype(SlotPairSample::pairs) pairs;
};
StartTexts StartTextsOf(const ContrastSampler& sampler);

double WeightOf(const config::v1::ContrastConfig& config, PairKind kind);

// A matrix that is made once: read from `file`, if it is of this identity; else
// made and written. What is resumed goes on in the same bits.
absl::StatusOr<torch::Tensor> KeptIn(
    const std::filesystem::path& file, const std::string& identity,
    const std::function<absl::StatusOr<torch::Tensor>()>& make);

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
