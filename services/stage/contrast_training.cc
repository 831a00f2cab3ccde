// SPDX-License-Identifier: Apache-2.0
#include "services/stage/contrast_training.h"

#include <spdlog/spdlog.h>
#include <torch/utils.h>

#include <map>
#include <string>
#include <utility>

#include "common/base/status_macros.h"
#include "common/config/training_settings.h"
#include "common/llm/pair_loss.h"
#include "common/llm/process_group.h"
#include "services/stage/contrast_start.h"
#include "services/stage/held_out_recall.h"
#include "services/stage/llm_stage.h"
#include "services/stage/pair_model.h"
#include "services/stage/stage_ranks.h"

namespace larr::stage {
namespace {

using config::v1::ContrastConfig;

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

// All steps, and recall of held-out pairs before and after them.
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

// Fitted by rank 0, for all.
absl::StatusOr<torch::Tensor> Coordinates(StageContext& context,
                                          const ContrastStartOptions& options,
                                          const ContrastSampler& sampler,
                                          const TextModel& text_model) {
  torch::Tensor coordinates =
      torch::empty({text_model.width, text_model.width}, torch::kFloat32);
  if (context.ranks->rank() == 0) {
    LARR_ASSIGN_OR_RETURN(
        const auto start,
        ContrastStart(options, sampler, text_model, context.progress));
    coordinates.copy_(start);
  }
  LARR_RETURN_IF_ERROR(context.ranks->Broadcast(coordinates));
  return coordinates;
}

}  // namespace

absl::StatusOr<TrainedProjection> TrainOnPairs(
    StageContext& context, const std::string& identity,
    const ContrastConfig& config, const ContrastSampler& sampler,
    const TextModel& text_model, std::vector<TrainedTensor> trained) {
  LARR_ASSIGN_OR_RETURN(const auto kinds, ActiveKinds(config, sampler));
  LlmTrainerOptions options =
      MakeTrainerOptions(context, config.steps(), config.checkpoint_steps(),
                         config.kept_checkpoints(), identity);
  options.evaluate_steps = config.evaluate_steps();
  LARR_ASSIGN_OR_RETURN(
      const torch::Tensor coordinates,
      Coordinates(context,
                  {config, context.config.spec().seed(),
                   options.checkpoints.parent_path() / "start.safetensors",
                   options.identity},
                  sampler, text_model));
  // The first coordinates say most.
  auto projection =
      torch::eye(kEmbeddingDim, text_model.width, torch::kFloat32);
  projection.requires_grad_(true);
  trained.push_back({"projection", projection, /*is_new=*/true});
  Optimizer optimizer(std::move(trained), config.optimizer(), config.steps(),
                      context.ranks);
  LlmTrainer trainer(options, optimizer);
  const PairModel model(config, text_model, coordinates, projection,
                        *context.ranks);
  TrainedProjection result;
  LARR_ASSIGN_OR_RETURN(result.report, Train(context, config, sampler, kinds,
                                             model, optimizer, trainer));
  AddTrainer(trainer, result.report);
  result.projection = projection.detach().mm(coordinates);
  return result;
}

}  // namespace larr::stage
