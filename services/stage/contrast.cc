// SPDX-License-Identifier: Apache-2.0
#include "services/stage/contrast.h"

#include <ATen/Parallel.h>
#include <spdlog/spdlog.h>

#include "common/base/status_macros.h"
#include "common/config/text_proto.h"
#include "common/config/training_settings.h"
#include "common/llm/losses.h"
#include "common/tensors/torch_status.h"
#include "services/stage/contrast_sampler.h"
#include "services/stage/contrast_start.h"
#include "services/stage/llm_stage.h"

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

// Texts to vectors and losses, with gradients.
class PairModel {
 public:
  // projection [embedding_dim, h] learns, on coordinates [h, h] of states.
  PairModel(const ContrastConfig& config, const Tokenizer& tokenizer,
            const Decoder& decoder, torch::Tensor coordinates,
            torch::Tensor projection)
      : config_(config),
        tokenizer_(tokenizer),
        decoder_(decoder),
        coordinates_(std::move(coordinates)),
        projection_(std::move(projection)) {}

  // The loss of one kind of pair (eq. 14, 16 or 20). Adds to `result`.
  absl::StatusOr<torch::Tensor> Loss(PairKind kind, const PairBatch& pairs,
                                     StepResult& result) const {
    const auto count = static_cast<int64_t>(pairs.a.size());
    std::vector<std::string> texts = pairs.a;
    texts.insert(texts.end(), pairs.b.begin(), pairs.b.end());
    std::vector<TokenIds> ids;
    LARR_ASSIGN_OR_RETURN(
        const auto states,
        LastStates(texts, tokenizer_, decoder_, config_.max_tokens(), ids));
    for (const auto& text : ids)
      result.tokens += static_cast<int64_t>(text.size());
    const auto vectors =
        at::linear(at::linear(states, coordinates_), projection_);
    const auto a = vectors.narrow(0, 0, count);
    const auto b = vectors.narrow(0, count, count);
    const auto excluded =
        torch::tensor(at::ArrayRef<uint8_t>(pairs.excluded), torch::kUInt8)
            .view({count, count})
            .to(torch::kBool);
    const auto loss = SymmetricInfoNce(a, b, excluded, config_.temperature());
    const std::string name = PairKindName(kind);
    result.values[name + "_loss"] = loss.item<double>();
    result.values[name + "_accuracy"] = PairAccuracy(a, b, excluded);
    return loss;
  }

 private:
  const ContrastConfig& config_;
  const Tokenizer& tokenizer_;
  const Decoder& decoder_;
  const torch::Tensor coordinates_;
  const torch::Tensor projection_;
};

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
  const LlmTrainerOptions options = MakeTrainerOptions(
      context, config.steps(), config.checkpoint_steps(),
      config.kept_checkpoints(), ToTextProto(config), digests);
  LARR_ASSIGN_OR_RETURN(
      const torch::Tensor coordinates,
      ContrastStart({config, context.config.spec().seed(),
                     options.checkpoints.parent_path() / "start.safetensors",
                     options.identity},
                    sampler, checkpoint.tokenizer, decoder, hidden,
                    context.progress));
  // The first coordinates: those of what pairs share.
  auto projection = torch::eye(kEmbeddingDim, hidden, torch::kFloat32);
  projection.requires_grad_(true);
  trained.push_back({"projection", projection, /*is_new=*/true});
  Optimizer optimizer(trained, config.optimizer(), config.steps());
  LlmTrainer trainer(options, optimizer);
  LARR_RETURN_IF_ERROR(trainer.Restore());
  const PairModel model(config, checkpoint.tokenizer, decoder, coordinates,
                        projection);
  const auto body = [&](int64_t step) -> absl::StatusOr<StepResult> {
    StepResult result;
    for (const PairKind kind : kinds) {  // eq. 21, one term at a time
      LARR_ASSIGN_OR_RETURN(
          const auto loss, model.Loss(kind, sampler.Batch(kind, step), result));
      const double weight = WeightOf(config, kind);
      (loss * weight).backward();
      optimizer.Accumulate();
      result.loss += weight * loss.item<double>();
    }
    return result;
  };
  LARR_RETURN_IF_ERROR(RunTrainer(context, config.steps(), body, trainer));
  decoder.MergeAdapters();
  head.projection = projection.detach().mm(coordinates);
  config::v1::ArtifactManifest manifest;
  manifest.mutable_parents()->insert(digests.begin(), digests.end());
  manifest.set_config(ToTextProto(config));
  return WriteTrained(context, checkpoint, DtypeOf(config.precision()), &head,
                      trainer, {}, std::move(manifest));
}

}  // namespace

absl::Status RunContrast(StageContext& context) {
  const auto& spec = context.config.spec();
  LARR_ASSIGN_OR_RETURN(const ContrastConfig config,
                        CompleteContrastConfig(spec.contrast()));
  at::set_num_threads(context.threads());
  LARR_ASSIGN_OR_RETURN(const auto corpus, context.Input("corpus"));
  LARR_ASSIGN_OR_RETURN(const auto pretrain, context.Input("pretrain"));
  LARR_ASSIGN_OR_RETURN(
      const auto dataset,
      LoadTextProto<config::v1::DatasetSpec>(corpus / "dataset.textproto"));
  LARR_ASSIGN_OR_RETURN(auto data, ReadData(corpus));
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
