// SPDX-License-Identifier: Apache-2.0
#include "services/stage/llm_stage.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "common/base/artifact_folder.h"
#include "common/base/files.h"
#include "common/base/invalid_argument.h"
#include "common/base/seconds_since.h"
#include "common/base/status_macros.h"
#include "common/config/stage_files.h"
#include "common/llm/process_group.h"
#include "services/stage/stage_ranks.h"

namespace larr::stage {
namespace {

absl::Status WriteArtifact(const StageContext& context,
                           const Checkpoint& checkpoint,
                           torch::ScalarType dtype, const EmbedderHead* head,
                           const nlohmann::ordered_json& report,
                           config::v1::ArtifactManifest manifest) {
  LARR_ASSIGN_OR_RETURN(auto writer,
                        ArtifactWriter::Create(context.config.output()));
  LARR_RETURN_IF_ERROR(WriteCheckpoint(writer.path(), checkpoint, dtype, head));
  LARR_RETURN_IF_ERROR(WriteFileAtomically(writer.path() / kTrainingFile,
                                           report.dump(1) + "\n"));
  if (head != nullptr) {
    LARR_ASSIGN_OR_RETURN(
        *manifest.mutable_embedder_fingerprint(),
        EmbedderFingerprint(writer.path(),
                            context.config.spec().embed().precision()));
  }
  manifest.set_kind(kCheckpointKind);
  return writer.Finish(std::move(manifest)).status();
}

absl::Status AtMost(const char* field, int32_t value, int64_t most,
                    const char* what) {
  if (value <= most) return absl::OkStatus();
  return Invalid("`{}` is {}; it must be in [0, {}], {}", field, value, most,
                 what);
}

}  // namespace

std::vector<std::string> SlotsOf(const config::v1::DatasetSpec& dataset) {
  std::vector<std::string> slots;
  for (const auto& keyword : dataset.keywords())
    slots.push_back(keyword.name());
  return slots;
}

absl::Status CheckLayers(const config::v1::PretrainConfig& pretrain,
                         const LlmConfig& model) {
  LARR_RETURN_IF_ERROR(AtMost("pretrain.frozen_layers",
                              pretrain.frozen_layers(), model.layers,
                              "the model's layers"));
  if (pretrain.steps() == 0) return absl::OkStatus();
  return AtMost("pretrain.max_tokens", pretrain.max_tokens(),
                model.max_positions, "the model's positions");
}

absl::Status CheckLayers(const config::v1::ContrastConfig& contrast,
                         const LlmConfig& model) {
  LARR_RETURN_IF_ERROR(AtMost("contrast.layers", contrast.layers(),
                              model.layers, "the model's layers"));
  if (contrast.steps() > 0) {
    LARR_RETURN_IF_ERROR(AtMost("contrast.max_tokens", contrast.max_tokens(),
                                model.max_positions, "the model's positions"));
  }
  if (contrast.layers() == 0) {
    return AtMost("contrast.frozen_layers", contrast.frozen_layers(),
                  model.layers, "the model's layers");
  }
  return AtMost("contrast.frozen_layers", contrast.frozen_layers(),
                contrast.layers(), "`contrast.layers`");
}

absl::Status SetUpDecoder(const StageContext& context,
                          const DecoderSettings& settings, Decoder& decoder) {
  if (settings.lora.rank() > 0) {
    decoder.AddAdapters({settings.lora.rank(), settings.lora.alpha(),
                         context.config.spec().seed()});
  }
  if (settings.activation_checkpointing) decoder.RecomputeActivations();
  if (settings.frozen_layers == 0 || settings.frozen_cache_megabytes == 0)
    return absl::OkStatus();
  std::string file = "frozen_cache";
  if (const int rank = context.ranks->rank(); rank > 0)
    file += fmt::format("-{}", rank);
  LARR_ASSIGN_OR_RETURN(
      auto cache,
      FrozenCache::Open(std::filesystem::path(context.config.work()) / file,
                        decoder.FrozenIdentity(), decoder.config().hidden_size,
                        settings.frozen_cache_megabytes << 20));
  decoder.CacheFrozenLayers(std::move(cache));
  return absl::OkStatus();
}

LlmTrainerOptions MakeTrainerOptions(const StageContext& context, int64_t steps,
                                     int64_t checkpoint_steps,
                                     int kept_checkpoints,
                                     const std::string& identity) {
  LlmTrainerOptions options;
  options.steps = steps;
  options.checkpoint_steps = checkpoint_steps;
  options.kept_checkpoints = kept_checkpoints;
  options.checkpoints =
      std::filesystem::path(context.config.work()) / "checkpoints";
  options.identity = Sha256(identity);
  options.rank = TrainingRankOf(*context.ranks);
  return options;
}

absl::Status RunTrainer(StageContext& context, int64_t steps,
                        const LlmTrainer::Body& body, LlmTrainer& trainer,
                        const LlmTrainer::Evaluate& evaluate) {
  const auto start = std::chrono::steady_clock::now();
  int64_t tokens = 0, rows = 0;
  const double seconds_before = trainer.notes().value("seconds", 0.0);
  const int64_t tokens_before = trainer.notes().value("tokens", int64_t{0});
  const int64_t rows_before = trainer.notes().value("rows", int64_t{0});
  const auto report = [&](int64_t step, const StepResult& result,
                          double throughput) {
    const double seconds = SecondsSince(start);
    tokens += result.tokens;
    rows += result.rows;
    trainer.notes()["seconds"] = seconds_before + seconds;
    trainer.notes()["tokens"] = tokens_before + tokens;
    trainer.notes()["rows"] = rows_before + rows;
    if (result.rows == 0)
      return context.progress.Report(step, steps, result.loss, throughput,
                                     "tokens/s");
    const double per_token =
        static_cast<double>(result.rows) / static_cast<double>(result.tokens);
    context.progress.Report(step, steps, result.loss, throughput * per_token,
                            "rows/s");
  };
  // A batch follows from seed and step, so the two name it.
  const auto named = [&](int64_t step) -> absl::StatusOr<StepResult> {
    LARR_ASSIGN_OR_RETURN(StepResult result, body(step));
    if (result.batch.empty()) {
      result.batch = fmt::format("the batch that seed {} draws for it",
                                 context.config.spec().seed());
    }
    return result;
  };
  if (!evaluate) return trainer.Run(named, report);
  using Values = std::map<std::string, double>;
  return trainer.Run(
      named, report, [&](int64_t step) -> absl::StatusOr<Values> {
        LARR_ASSIGN_OR_RETURN(
            const nlohmann::json values,
            FromFirstRank(*context.ranks,
                          [&]() -> absl::StatusOr<nlohmann::json> {
                            return evaluate(step);
                          }));
        return values.get<Values>();
      });
}

void AddTrainer(const LlmTrainer& trainer, nlohmann::ordered_json& report) {
  const double seconds = trainer.notes().value("seconds", 0.0);
  const auto tokens = trainer.notes().value("tokens", int64_t{0});
  report["steps"] = trainer.step();
  report["tokens"] = tokens;
  report["seconds"] = seconds;
  report["tokens_per_second"] =
      seconds > 0 ? static_cast<double>(tokens) / seconds : 0.0;
  if (!trainer.best().is_null()) report["best"] = trainer.best();
  report["curve"] = trainer.curve();
}

absl::Status WriteTrained(const StageContext& context,
                          const Checkpoint& checkpoint, torch::ScalarType dtype,
                          const EmbedderHead* head,
                          const nlohmann::ordered_json& report,
                          config::v1::ArtifactManifest manifest) {
  if (context.ranks->rank() == 0) {
    LARR_RETURN_IF_ERROR(WriteArtifact(context, checkpoint, dtype, head, report,
                                       std::move(manifest)));
  }
  return context.ranks->Barrier();
}

}  // namespace larr::stage
