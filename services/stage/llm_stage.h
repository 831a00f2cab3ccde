// SPDX-License-Identifier: Apache-2.0
//
// What the stages that train the language model, or words in its place, share:
// how they start, how they go through their steps, and how they end.
//
// REQUIRES: context.ranks is set; all ranks call the same functions
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/llm/checkpoint.h"
#include "common/llm/trainer.h"
#include "larr/config/v1/dataset.pb.h"
#include "services/stage/stage.h"

namespace larr::stage {

inline constexpr char kCheckpointKind[] = "checkpoint";  // of their artifacts

// Names of the dataset's keywords: the slots, in the spec's order.
std::vector<std::string> SlotsOf(const config::v1::DatasetSpec& dataset);

// Refuses settings that freeze or keep more layers than a model has.
absl::Status CheckLayers(const config::v1::PretrainConfig& pretrain,
                         const LlmConfig& model);
absl::Status CheckLayers(const config::v1::ContrastConfig& contrast,
                         const LlmConfig& model);

// Gives a decoder what both stages' settings ask for: adapters, activation
// checkpointing, the cache of frozen layers in the work folder, a file for each
// rank. Before its Train().
struct DecoderSettings {
  config::v1::LoraConfig lora;
  bool activation_checkpointing = false;
  int64_t frozen_layers = 0;
  int64_t frozen_cache_megabytes = 0;
};
template <typename Config>
DecoderSettings DecoderSettingsOf(const Config& config) {
  return {config.lora(), config.activation_checkpointing(),
          config.frozen_layers(), config.frozen_cache_megabytes()};
}
absl::Status SetUpDecoder(const StageContext& context,
                          const DecoderSettings& settings, Decoder& decoder);

// A stage's checkpoints in its work folder, refused with another `identity`:
// StageIdentity.settings.
LlmTrainerOptions MakeTrainerOptions(const StageContext& context, int64_t steps,
                                     int64_t checkpoint_steps,
                                     int kept_checkpoints,
                                     const std::string& identity);

// Runs the trainer's remaining steps, telling `context.progress` of each, in
// rows/s where steps read rows, else in tokens/s; `seconds`, `tokens` and
// `rows` so far are in the trainer's notes. A batch that `body` does not name
// is named by seed and step. `evaluate` is asked on rank 0.
absl::Status RunTrainer(StageContext& context, int64_t steps,
                        const LlmTrainer::Body& body, LlmTrainer& trainer,
                        const LlmTrainer::Evaluate& evaluate = {});

// Adds the trainer's curve, throughput, and the step of the lowest held-out
// loss to what becomes `training.json`.
void AddTrainer(const LlmTrainer& trainer, nlohmann::ordered_json& report);

// Writes the artifact: checkpoint, `training.json`, manifest. `head` may be
// null. Rank 0 writes; all return once it has.
absl::Status WriteTrained(const StageContext& context,
                          const Checkpoint& checkpoint, torch::ScalarType dtype,
                          const EmbedderHead* head,
                          const nlohmann::ordered_json& report,
                          config::v1::ArtifactManifest manifest);

}  // namespace larr::stage
