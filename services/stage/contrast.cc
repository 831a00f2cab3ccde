// SPDX-License-Identifier: Apache-2.0
#include "services/stage/contrast.h"

#include <ATen/Parallel.h>

#include <string>
#include <utility>
#include <vector>

#include "common/base/status_macros.h"
#include "common/config/text_proto.h"
#include "common/config/training_settings.h"
#include "common/llm/decoder.h"
#include "common/llm/process_group.h"
#include "common/tensors/torch_status.h"
#include "services/stage/contrast_sampler.h"
#include "services/stage/contrast_training.h"
#include "services/stage/contrast_words.h"
#include "services/stage/identity.h"
#include "services/stage/llm_stage.h"
#include "services/stage/stage_ranks.h"
#include "services/stage/text_model.h"

namespace larr::stage {
namespace {

using config::v1::ContrastConfig;

absl::StatusOr<ContrastData> ReadData(const std::filesystem::path& corpus) {
  ContrastData data;
  LARR_ASSIGN_OR_RETURN(data.users, ReadEntities(corpus, Table::kUsers));
  LARR_ASSIGN_OR_RETURN(data.pois, ReadEntities(corpus, Table::kPois));
  LARR_ASSIGN_OR_RETURN(data.pairs, ReadPairs(corpus));
  LARR_ASSIGN_OR_RETURN(data.known_orders, ReadKnownOrders(corpus));
  return data;
}

absl::Status TrainAndWrite(StageContext& context, const ContrastConfig& config,
                           const ContrastSampler& sampler,
                           const std::vector<std::string>& slots,
                           int64_t first_special, Checkpoint& checkpoint) {
  LARR_ASSIGN_OR_RETURN(const auto digests, context.InputDigests());
  EmbedderHead head;
  head.config.mutable_slots()->Add(slots.begin(), slots.end());
  head.config.set_max_tokens(config.max_tokens());
  head.config.set_mean_pooling(config.mean_pooling());
  Decoder decoder(checkpoint.config, checkpoint.weights, first_special,
                  config.frozen_layers());
  LARR_RETURN_IF_ERROR(
      SetUpDecoder(context, DecoderSettingsOf(config), decoder));
  // The head is not read, and the embedding learns only if all layers do.
  auto trained = decoder.Train(config.frozen_layers() == 0);
  std::erase_if(trained, [](const TrainedTensor& tensor) {
    return tensor.name.starts_with("head.");
  });
  LARR_ASSIGN_OR_RETURN(const auto identity, IdentityOf(context));
  LARR_RETURN_IF_ERROR(
      CheckSameStart(*context.ranks, identity.settings, checkpoint));
  LARR_ASSIGN_OR_RETURN(
      const auto result,
      TrainOnPairs(context, identity.settings, config, sampler,
                   LanguageModel(checkpoint.tokenizer, decoder, config),
                   std::move(trained)));
  decoder.MergeAdapters();
  head.projection = result.projection;
  config::v1::ArtifactManifest manifest;
  manifest.mutable_parents()->insert(digests.begin(), digests.end());
  manifest.set_config(ToTextProto(config));
  return WriteTrained(context, checkpoint, DtypeOf(config.precision()), &head,
                      result.report, std::move(manifest));
}

}  // namespace

absl::Status RunContrast(StageContext& context) {
  const auto& spec = context.config.spec();
  LARR_ASSIGN_OR_RETURN(const ContrastConfig config,
                        CompleteContrastConfig(spec.contrast()));
  at::set_num_threads(context.threads());
  LARR_ASSIGN_OR_RETURN(const auto corpus, context.Input("corpus"));
  LARR_ASSIGN_OR_RETURN(const auto dataset, ReadDatasetSpec(corpus));
  LARR_ASSIGN_OR_RETURN(auto data, ReadData(corpus));
  if (spec.encoder() == config::v1::BAG_OF_WORDS)
    return RunWordContrast(context, config, dataset, std::move(data));
  LARR_ASSIGN_OR_RETURN(const auto pretrain, context.Input("pretrain"));
  LARR_ASSIGN_OR_RETURN(
      const auto sampler,
      ContrastSampler::Create(dataset, config, std::move(data), spec.seed()));
  LARR_ASSIGN_OR_RETURN(auto checkpoint,
                        ReadCheckpoint(pretrain, DtypeOf(config.precision())));
  LARR_RETURN_IF_ERROR(CheckLayers(config, checkpoint.config));
  if (config.layers() > 0) KeepLowestLayers(config.layers(), checkpoint);
  const auto slots = SlotsOf(dataset);
  LARR_ASSIGN_OR_RETURN(const int64_t first_special,
                        AddSlots(slots, spec.seed(), checkpoint));
  return GuardTorch("contrastive training", [&] {
    return TrainAndWrite(context, config, sampler, slots, first_special,
                         checkpoint);
  });
}

}  // namespace larr::stage
