// SPDX-License-Identifier: Apache-2.0
#include "services/stage/pretrain.h"

#include <ATen/Parallel.h>
#include <spdlog/spdlog.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/status_macros.h"
#include "common/config/text_proto.h"
#include "common/config/training_settings.h"
#include "common/llm/language_loss.h"
#include "common/llm/process_group.h"
#include "common/tensors/torch_status.h"
#include "services/stage/corpus_files.h"
#include "services/stage/description_report.h"
#include "services/stage/general_corpus.h"
#include "services/stage/identity.h"
#include "services/stage/llm_stage.h"
#include "services/stage/pretrain_batches.h"
#include "services/stage/stage_ranks.h"

namespace larr::stage {
namespace {

using config::v1::PretrainConfig;

// Held-out descriptions that are looked at.
constexpr size_t kHeldOut = 128;

// What a step's batch is made of, and what is looked at.
struct Material {
  std::vector<CorpusDescription> training;
  std::vector<CorpusDescription> held_out;
  std::optional<GeneralCorpus> general;
  std::vector<GeneralDocument> general_held_out;
};

absl::StatusOr<Material> ReadMaterial(const StageContext& context,
                                      const PretrainConfig& config) {
  LARR_ASSIGN_OR_RETURN(const auto folder, context.Input("corpus"));
  LARR_ASSIGN_OR_RETURN(auto all, ReadDescriptions(folder));
  Material material;
  for (auto& description : all) {
    if (!description.held_out) {
      material.training.push_back(std::move(description));
    } else if (material.held_out.size() < kHeldOut) {
      material.held_out.push_back(std::move(description));
    }
  }
  if (material.training.empty() && config.steps() > 0) {
    return absl::InvalidArgumentError(
        folder.string() +
        ": no description to train on; set pretrain.steps to 0");
  }
  if (config.steps() > 0 && config.general_fraction() > 0) {
    LARR_ASSIGN_OR_RETURN(material.general,
                          GeneralCorpus::Open(config.general_corpus(),
                                              config.general_text_column(),
                                              context.config.spec().seed()));
    LARR_ASSIGN_OR_RETURN(material.general_held_out,
                          material.general->HeldOut());
  }
  return material;
}

// This rank's share of a step, in as many passes as the settings want.
std::vector<LanguageBatch> PassesOf(const std::vector<Description>& step,
                                    int64_t tokens_per_pass,
                                    const ProcessGroup& ranks) {
  std::vector<int64_t> tokens;
  for (const Description& text : step) tokens.push_back(std::ssize(text.ids));
  std::vector<Description> share;
  for (const size_t text : ShareOf(tokens, ranks.rank(), ranks.size()))
    share.push_back(step[text]);
  std::vector<LanguageBatch> passes;
  for (const auto pass : SplitPasses(share, tokens_per_pass)) {
    LanguageBatch batch = MakeLanguageBatch(pass);
    if (batch.targets.size(0) > 0) passes.push_back(std::move(batch));
  }
  return passes;
}

// A step's gradients. All ranks sum losses first, and gradients then: those of
// the last pass go out while it runs.
absl::StatusOr<StepResult> Learn(const std::vector<Description>& step,
                                 int64_t tokens_per_pass,
                                 const Decoder& decoder, Optimizer& optimizer,
                                 ProcessGroup& ranks) {
  int64_t targets = 0;
  StepResult result;
  for (const Description& text : step) {
    targets += Targets(text);
    result.tokens += static_cast<int64_t>(text.ids.size());
  }
  if (targets == 0) {
    return absl::InvalidArgumentError(
        "no token to predict; raise pretrain.max_tokens");
  }
  const auto passes = PassesOf(step, tokens_per_pass, ranks);
  for (size_t i = 0; i < passes.size(); ++i) {
    const LanguageBatch& batch = passes[i];
    const auto loss = NextTokenLoss(
        decoder.Hidden(batch.batch).index_select(0, batch.rows), decoder.head(),
        batch.targets, 1.0 / static_cast<double>(targets));
    result.loss += loss.item<double>();
    if (i + 1 == passes.size()) {
      LARR_ASSIGN_OR_RETURN(result.loss, ranks.Sum(result.loss));
      optimizer.ExpectLastPass();
    }
    loss.backward();
    optimizer.Accumulate();
  }
  if (passes.empty()) {
    LARR_ASSIGN_OR_RETURN(result.loss, ranks.Sum(0));
  }
  return result;
}

// Trains, and returns what goes into `training.json`.
absl::StatusOr<nlohmann::ordered_json> Train(
    StageContext& context, const PretrainConfig& config, Material& material,
    const HeldOutTexts& held_out, const Tokenizer& tokenizer,
    const Decoder& decoder, Optimizer& optimizer, LlmTrainer& trainer) {
  auto& notes = trainer.notes();
  if (!notes.contains("held_out_before")) {
    const auto measure = [&]() -> absl::StatusOr<nlohmann::json> {
      LARR_ASSIGN_OR_RETURN(const auto before, held_out.Measure(decoder));
      return ToJson(before);
    };
    LARR_ASSIGN_OR_RETURN(notes["held_out_before"],
                          FromFirstRank(*context.ranks, measure));
  }
  PretrainBatches batches(config, tokenizer, material.training,
                          material.general ? &*material.general : nullptr,
                          context.config.spec().seed());
  if (notes.contains("position")) batches.Seek(notes["position"]);
  const auto body = [&](int64_t) -> absl::StatusOr<StepResult> {
    LARR_ASSIGN_OR_RETURN(const auto texts, batches.Next());
    notes["position"] = batches.position();
    return Learn(texts, config.tokens_per_pass(), decoder, optimizer,
                 *context.ranks);
  };
  LlmTrainer::Evaluate evaluate;
  if (held_out.descriptions() > 0) {
    evaluate = [&](int64_t) -> absl::StatusOr<std::map<std::string, double>> {
      LARR_ASSIGN_OR_RETURN(const double loss,
                            held_out.DescriptionLoss(decoder));
      return std::map<std::string, double>{{"held_out_loss", loss}};
    };
  }
  LARR_RETURN_IF_ERROR(
      RunTrainer(context, config.steps(), body, trainer, evaluate));
  nlohmann::ordered_json report;
  if (context.ranks->rank() > 0) return report;
  LARR_ASSIGN_OR_RETURN(const auto after, held_out.Measure(decoder));
  report["held_out"] = {
      {"descriptions", held_out.descriptions()},
      {"documents", held_out.documents()},
      {"measures", CompareMeasures(notes["held_out_before"], after)}};
  spdlog::info("pretrained steps={}\n{}", config.steps(),
               MeasureTable(report["held_out"]["measures"]));
  return report;
}

absl::Status TrainAndWrite(StageContext& context, const PretrainConfig& config,
                           const std::vector<std::string>& slots,
                           Material& material, int64_t first_special,
                           Checkpoint& checkpoint) {
  LARR_ASSIGN_OR_RETURN(const auto digests, context.InputDigests());
  LARR_ASSIGN_OR_RETURN(auto identity, IdentityOf(context));
  // Checkpoints know the settings alone; the files of the base model and of the
  // general corpus belong to what they learned, too. Machines that share a run
  // need not agree in the files' stamps, but in the weights.
  if (context.ranks->alone()) {
    LARR_RETURN_IF_ERROR(context.ClaimWork(identity.all()));
  } else {
    identity.settings += WeightsHash(checkpoint);
  }
  Decoder decoder(checkpoint.config, checkpoint.weights, first_special,
                  config.frozen_layers());
  LARR_RETURN_IF_ERROR(
      SetUpDecoder(context, DecoderSettingsOf(config), decoder));
  LlmTrainerOptions options =
      MakeTrainerOptions(context, config.steps(), config.checkpoint_steps(),
                         config.kept_checkpoints(), identity.settings);
  options.evaluate_steps = config.evaluate_steps();
  LARR_RETURN_IF_ERROR(
      CheckSameStart(*context.ranks, options.identity, checkpoint));
  Optimizer optimizer(decoder.Train(/*with_vocabulary=*/true),
                      config.optimizer(), config.steps(), context.ranks);
  LlmTrainer trainer(options, optimizer);
  LARR_RETURN_IF_ERROR(trainer.Restore());
  nlohmann::ordered_json report;
  if (config.steps() > 0) {
    LARR_ASSIGN_OR_RETURN(
        const auto held_out,
        HeldOutTexts::Make(checkpoint.tokenizer, slots, material.held_out,
                           material.general_held_out, config.max_tokens()));
    LARR_ASSIGN_OR_RETURN(
        report, Train(context, config, material, held_out, checkpoint.tokenizer,
                      decoder, optimizer, trainer));
  }
  AddTrainer(trainer, report);
  decoder.MergeAdapters();
  config::v1::ArtifactManifest manifest;
  manifest.mutable_parents()->insert(digests.begin(), digests.end());
  manifest.set_config(ToTextProto(config));
  return WriteTrained(context, checkpoint, DtypeOf(config.precision()), nullptr,
                      report, std::move(manifest));
}

}  // namespace

absl::Status RunPretrain(StageContext& context) {
  const auto& spec = context.config.spec();
  LARR_ASSIGN_OR_RETURN(const PretrainConfig config,
                        CompletePretrainConfig(spec.pretrain()));
  at::set_num_threads(context.threads());
  LARR_ASSIGN_OR_RETURN(const auto corpus, context.Input("corpus"));
  LARR_ASSIGN_OR_RETURN(const auto dataset, ReadDatasetSpec(corpus));
  LARR_ASSIGN_OR_RETURN(auto material, ReadMaterial(context, config));
  LARR_ASSIGN_OR_RETURN(
      auto checkpoint,
      ReadCheckpoint(spec.base_model(), DtypeOf(config.precision())));
  LARR_RETURN_IF_ERROR(CheckLayers(config, checkpoint.config));
  // Known now: not after the hours of this stage.
  LARR_RETURN_IF_ERROR(CheckLayers(spec.contrast(), checkpoint.config));
  if (spec.contrast().layers() > 0 && config.steps() > 0 &&
      config.frozen_layers() >= spec.contrast().layers()) {
    spdlog::warn(
        "what this stage learns is not in what `contrast` keeps "
        "pretrain.frozen_layers={} contrast.layers={}",
        config.frozen_layers(), spec.contrast().layers());
  }
  const auto slots = SlotsOf(dataset);
  LARR_ASSIGN_OR_RETURN(const int64_t first_special,
                        AddSlots(slots, spec.seed(), checkpoint));
  return GuardTorch("pretraining", [&] {
    return TrainAndWrite(context, config, slots, material, first_special,
                         checkpoint);
  });
}

}  // namespace larr::stage
