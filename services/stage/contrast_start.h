// SPDX-License-Identifier: Apache-2.0
//
// Where stage 2's projection starts from, fitted to states of slot texts
// (common/llm/linear_start.h) and kept in the stage's work folder.
#pragma once

#include <filesystem>
#include <string>

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
  std::filesystem::path file;  // where it is kept
  std::string identity;        // of settings and inputs
};

double WeightOf(const config::v1::ContrastConfig& config, PairKind kind);

// The coordinates that the projection starts in, float32 [h, h]. Reads
// `options.file`, if it is of this identity; else fits them and writes it. At
// random where there is no pair to fit.
absl::StatusOr<torch::Tensor> ContrastStart(const ContrastStartOptions& options,
                                            const ContrastSampler& sampler,
                                            const Tokenizer& tokenizer,
                                            const Decoder& decoder,
                                            int64_t hidden,
                                            ProgressWriter& progress);

}  // namespace larr::stage
