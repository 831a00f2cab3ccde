// SPDX-License-Identifier: Apache-2.0
#include "services/stage/contrast.h"

#include <ATen/Parallel.h>
#include <spdlog/spdlog.h>
#include <torch/utils.h>

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "common/base/status_macros.h"
#include "common/config/text_proto.h"
#include "common/config/training_settings.h"
#include "common/llm/pair_loss.h"
#include "common/llm/process_group.h"
#include "common/tensors/torch_status.h"
#include "services/stage/contrast_sampler.h"
#include "services/stage/contrast_start.h"
#include "services/stage/contrast_words.h"
#include "services/stage/held_out_recall.h"
#include "services/stage/identity.h"
#include "services/stage/llm_stage.h"
#include "services/stage/pair_model.h"
#include "services/stage/stage_ranks.h"

namespace larr::stage {
namespace {

using config::v1::ContrastConfig;

absl::StatusOr<ContrastData> ReadData(const std::filesystem::path& corpus) {
  ContrastData data;
  LARR_ASSIGN_OR_RETURN(data.users, ReadEntities(corpus, "users.parquet"));
  LARR_ASSIGN_OR_RETURN(data.pois, ReadEntities(corpus, "pois.parquet"));
  LARR_ASSIGN_OR_RETURN(data.pairs, ReadPairs(corpus));
  LARR_ASSIGN_OR_RETURN(data.known_orders, ReadKnownOrders(corpus));
  return data;
}

// The kinds of pair that the settings weigh and the data has.
absl::StatusOr<std::vector<PairKind>> ActiveKinds(
    const ContrastConfig& config, const ContrastSampler& sampler) {
  std::vector<PairKind> kinds;
  for (const PairKind kind : kPairKinds) {
    if (WeightOf(config, kind) <= 0) continue;
    if (sampler.Has(kind)) {
      kinds.push_back(kind);
    } else {
      spdlog::warn("the corpus has no such pairs kind={}", PairKindName(kind));
    }
  }
  if (kinds.empty() && config.steps() > 0) {
    return absl::InvalidArgumentError(
        "no pair to learn from: of `contrast.user_user_weight`, "
        "`poi_poi_weight` and `user_poi_weight` at least one must be positive "
        "for a kind of pair that the corpus has; or set `contrast.steps` to 0");
  }
  return kinds;
}

// One step's losses and gradients: eq. 21, one term at a time.
absl::StatusOr<StepResult> Step(const ContrastConfig& config,
                                const ContrastSampler& sampler,
                                const std::vector<PairKind>& kinds,
                                const PairModel& model, int64_t step,
                                Optimizer& optimizer) {
  StepResult result;
  for (const PairKind kind : kinds) {
    const double weight = WeightOf(config, kind);
    LARR_ASSIGN_OR_RETURN(const PairOutcome outcome,
                          model.Backward(sampler.Batch(kind, step), weight,
                                         [&] { optimizer.Accumulate(); }));
    const std::string name = PairKindName(kind);
    result.values[name + "_loss"] = outcome.loss;
    result.values[name + "_accuracy"] = Recall(outcome.ranks, 1);
    result.loss += weight * outcome.loss;
    result.tokens += outcome.tokens;
  }
  return result;
}

// How the model does on held-out pairs, by the curve's names.
absl::StatusOr<std::map<std::string, double>> HeldOutValues(
    const ContrastConfig& config, const std::vector<PairKind>& kinds,
    const HeldOutRecall& held_out) {
  std::map<std::string, double> values;
  LARR_ASSIGN_OR_RETURN(const auto report, held_out.Composed());
  for (const PairKind kind : kinds) {
    const std::string name = PairKindName(kind);
    if (!report.contains(name)) continue;
    values["held_out_loss"] +=
        WeightOf(config, kind) * report[name]["loss"].get<double>();
    values[name + "_held_out_recall@10"] =
        report[name]["recall@10"].get<double>();
  }
  return values;
}

// All steps, and recall of held-out pairs before and after them: what
// `training.json` reports.
absl::StatusOr<nlohmann::ordered_json> Train(
    StageContext& context, const ContrastConfig& config,
    const ContrastSampler& sampler, const std::vector<PairKind>& kinds,
    const PairModel& model, Optimizer& optimizer, LlmTrainer& trainer) {
  nlohmann::ordered_json report;
  LARR_RETURN_IF_ERROR(trainer.Restore());
  if (config.steps() == 0) return report;
  const HeldOutRecall held_out(sampler, kinds, model);
  auto& notes = trainer.notes();
  if (!notes.contains("held_out_before")) {
    const auto look = [&]() -> absl::StatusOr<nlohmann::json> {
      return held_out.Report("before");
    };
    LARR_ASSIGN_OR_RETURN(notes["held_out_before"],
                          FromFirstRank(*context.ranks, look));
  }
  const auto body = [&](int64_t step) -> absl::StatusOr<StepResult> {
    return Step(config, sampler, kinds, model, step, optimizer);
  };
  const auto evaluate = [&](int64_t) {
    return HeldOutValues(config, kinds, held_out);
  };
  LARR_RETURN_IF_ERROR(
      RunTrainer(context, config.steps(), body, trainer, evaluate));
  if (context.ranks->rank() > 0) return report;
  auto& recall = report["held_out_recall"];
  recall["before"] = notes["held_out_before"];
  LARR_ASSIGN_OR_RETURN(recall["after"], held_out.Report("after"));
  return report;
}

absl::Status TrainAndWrite(StageContext& context, const ContrastConfig& config,
                           const ContrastSampler& sampler,
                           const std::vector<std::string>& slots,
                           int64_t first_special, Checkpoint& checkpoint) {
  LARR_ASSIGN_OR_RETURN(const auto digests,
                        InputDigests(context, {"corpus", "pretrain"}));
  LARR_ASSIGN_OR_RETURN(const auto kinds, ActiveKinds(config, sampler));
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
  const int64_t hidden = checkpoint.config.hidden_size;
  LARR_ASSIGN_OR_RETURN(const auto identity, IdentityOf(context));
  LlmTrainerOptions options =
      MakeTrainerOptions(context, config.steps(), config.checkpoint_steps(),
                         config.kept_checkpoints(), identity.settings);
  options.evaluate_steps = config.evaluate_steps();
  LARR_RETURN_IF_ERROR(
      CheckSameStart(*context.ranks, options.identity, checkpoint));
  torch::Tensor coordinates = torch::empty({hidden, hidden}, torch::kFloat32);
  if (context.ranks->rank() == 0) {
    LARR_ASSIGN_OR_RETURN(
        const auto start,
        ContrastStart(
            {config, context.config.spec().seed(),
             options.checkpoints.parent_path() / "start.safetensors",
             options.identity},
            sampler, hidden,
            StatesOf(checkpoint.tokenizer, decoder, config, context.progress)));
    coordinates.copy_(start);
  }
  LARR_RETURN_IF_ERROR(context.ranks->Broadcast(coordinates));
  // The first coordinates: those of what pairs share.
  auto projection = torch::eye(kEmbeddingDim, hidden, torch::kFloat32);
  projection.requires_grad_(true);
  trained.push_back({"projection", projection, /*is_new=*/true});
  Optimizer optimizer(trained, config.optimizer(), config.steps(),
                      context.ranks);
  LlmTrainer trainer(options, optimizer);
  const PairModel model(config, checkpoint.tokenizer, decoder, coordinates,
                        projection, *context.ranks);
  LARR_ASSIGN_OR_RETURN(auto report, Train(context, config, sampler, kinds,
                                           model, optimizer, trainer));
  decoder.MergeAdapters();
  head.projection = projection.detach().mm(coordinates);
  config::v1::ArtifactManifest manifest;
  manifest.mutable_parents()->insert(digests.begin(), digests.end());
  manifest.set_config(ToTextProto(config));
  return WriteTrained(context, checkpoint, DtypeOf(config.precision()), &head,
                      trainer, std::move(report), std::move(manifest));
}

}  // namespace

absl::Status RunContrast(StageContext& context) {
  const auto& spec = context.config.spec();
  LARR_ASSIGN_OR_RETURN(const ContrastConfig config,
                        CompleteContrastConfig(spec.contrast()));
  at::set_num_threads(context.threads());
  LARR_ASSIGN_OR_RETURN(const auto corpus, context.Input("corpus"));
  LARR_ASSIGN_OR_RETURN(
      const auto dataset,
      LoadTextProto<config::v1::DatasetSpec>(corpus / "dataset.textproto"));
  LARR_ASSIGN_OR_RETURN(auto data, ReadData(corpus));
  if (spec.encoder() == config::v1::BAG_OF_WORDS)
    return RunWordContrast(context, config, dataset, std::move(data));
  LARR_ASSIGN_OR_RETURN(const auto pretrain, context.Input("pretrain"));
  LARR_ASSIGN_OR_RETURN(
      const auto sampler,
      ContrastSampler::Create(dataset, config, std::move(data), spec.seed()));
  LARR_ASSIGN_OR_RETURN(auto checkpoint,
                        ReadCheckpoint(pretrain, DtypeOf(config.precision())));
  LARR_RETURN_IF_ERROR(
      CheckFrozenLayers("contrast", config.frozen_layers(), checkpoint.config));
  const auto slots = SlotsOf(dataset);
  LARR_ASSIGN_OR_RETURN(const int64_t first_special,
                        AddSlots(slots, spec.seed(), checkpoint));
  return GuardTorch("contrastive training", [&] {
    return TrainAndWrite(context, config, sampler, slots, first_special,
                         checkpoint);
  });
}

}  // namespace larr::stage
