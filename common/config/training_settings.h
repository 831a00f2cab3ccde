// SPDX-License-Identifier: Apache-2.0
//
// Which settings of a training run are legal, and what those mean that are not
// set. The coordinator asks before it takes a run, each stage when it starts,
// so that the two never disagree.
//
// The proto's comments say the same in words. What only files can tell (paths,
// columns, the language model's layers) is checked by who reads them; for the
// dataset's spec there are checks here.
//
// Threads:  safe.
// Errors:   kInvalidArgument  names the field as in a TrainingSpec, its value
//                             and what is legal
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "larr/config/v1/dataset.pb.h"
#include "larr/config/v1/model.pb.h"
#include "larr/config/v1/training.pb.h"

namespace larr {

// Width of a text's vector, as in the paper.
inline constexpr int64_t kEmbeddingDim = 128;

// The settings with every default of the proto filled in.
absl::StatusOr<config::v1::PretrainConfig> CompletePretrainConfig(
    config::v1::PretrainConfig config);
absl::StatusOr<config::v1::ContrastConfig> CompleteContrastConfig(
    config::v1::ContrastConfig config);
absl::StatusOr<config::v1::EmbedConfig> CompleteEmbedConfig(
    config::v1::EmbedConfig config);
absl::StatusOr<config::v1::AlignConfig> CompleteAlignConfig(
    config::v1::AlignConfig config);
// Of the model that an `ALIGN` stage trains.
absl::StatusOr<config::v1::AlignConfig> CompleteAlignConfig(
    const config::v1::StageConfig& stage);
// Of a recommender that a run trains, or that was trained.
absl::StatusOr<config::v1::CtrArchitecture> CompleteArchitecture(
    config::v1::CtrArchitecture architecture);

// The seed of what may have one of its own: an AlignConfig, an EvaluateConfig.
template <typename Config>
uint64_t SeedOf(const Config& config, const config::v1::TrainingSpec& spec) {
  return config.seed() != 0 ? config.seed() : spec.seed();
}

// All settings of a run.
absl::Status CheckTrainingSettings(const config::v1::TrainingSpec& spec);

// Whether a dataset has what a recommender of this kind reads.
absl::Status CheckRecommenderInputs(config::v1::CtrArchitecture::Kind kind,
                                    const config::v1::DatasetSpec& dataset);
// The same for all recommenders of a run, asked before its first hour.
absl::Status CheckRecommenderInputs(const config::v1::TrainingSpec& spec,
                                    const config::v1::DatasetSpec& dataset);

}  // namespace larr
