// SPDX-License-Identifier: Apache-2.0
#include "services/stage/p5.h"

#include <ATen/Parallel.h>
#include <spdlog/spdlog.h>
#include <torch/utils.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "common/base/artifact_folder.h"
#include "common/base/files.h"
#include "common/base/invalid_argument.h"
#include "common/base/seconds_since.h"
#include "common/base/status_macros.h"
#include "common/config/left_out_features.h"
#include "common/config/stage_files.h"
#include "common/config/text_proto.h"
#include "common/config/training_settings.h"
#include "common/dataset/impression_stream.h"
#include "common/llm/optimizer.h"
#include "common/llm/p5_model.h"
#include "common/llm/trainer.h"
#include "common/tensors/torch_status.h"
#include "services/stage/ctr_metrics_json.h"
#include "services/stage/identity.h"
#include "services/stage/llm_stage.h"
#include "services/stage/p5_recommender.h"
#include "services/stage/p5_rows.h"

namespace larr::stage {
namespace {

using config::v1::AlignConfig;
using config::v1::CtrModelDescription;
using nlohmann::ordered_json;

constexpr int64_t kValidationRows = 500;

// What all steps share.
struct P5Stage {
  StageContext& context;
  const AlignConfig& config;
  const Dataset dataset;
  const uint64_t seed;
  const std::string identity;
};

// What a pass over all epochs counts.
struct Amount {
  int64_t steps = 0;
  int64_t rows = 0;
};

absl::StatusOr<Amount> Count(P5Rows rows) {
  Amount amount;
  while (true) {
    LARR_ASSIGN_OR_RETURN(const P5Step step, rows.Next());
    if (step.rows() == 0) return amount;
    ++amount.steps;
    amount.rows += step.rows();
  }
}

absl::StatusOr<Amount> CountOnce(const P5Stage& stage, P5Rows rows) {
  const auto path =
      std::filesystem::path(stage.context.config.work()) / "steps.json";
  if (const auto text = ReadFile(path); text.ok()) {
    const auto json = nlohmann::json::parse(*text, nullptr, false);
    if (json.is_object())
      return Amount{json.value("steps", int64_t{0}),
                    json.value("rows", int64_t{0})};
  }
  LARR_ASSIGN_OR_RETURN(const Amount amount, Count(std::move(rows)));
  if (amount.steps == 0)
    return Invalid("dataset \"{}\" has no training rows; check its split",
                   stage.dataset.spec.name());
  const nlohmann::json json = {{"steps", amount.steps}, {"rows", amount.rows}};
  LARR_RETURN_IF_ERROR(WriteFileAtomically(path, json.dump()));
  return amount;
}

absl::StatusOr<StepResult> Learn(const P5Model& model, const P5Step& step,
                                 int tasks, Optimizer& optimizer) {
  const auto answers = torch::tensor(step.answers, torch::kInt64);
  const auto losses = model.Losses(MakeP5Batch(step.prompts),
                                   answers.view({tasks, step.rows()}));
  torch::Tensor sum = losses[0];
  for (int task = 1; task < tasks; ++task) sum = sum + losses[task];
  StepResult result{
      .loss = sum.item<double>(), .tokens = step.tokens, .rows = step.rows()};
  result.values["ctr"] = losses[0].item<double>();
  if (tasks > 1) result.values["ctcvr"] = losses[1].item<double>();
  optimizer.ExpectLastPass();
  sum.backward();
  optimizer.Accumulate();
  return result;
}

absl::StatusOr<ordered_json> Validate(const P5Stage& stage,
                                      P5Recommender& recommender) {
  LARR_ASSIGN_OR_RETURN(
      auto stream,
      ImpressionStream::Open(stage.dataset,
                             {.part = Part::kValidation,
                              .seed = stage.seed,
                              .shuffle_rows = stage.config.shuffle_rows(),
                              .max_rows = kValidationRows}));
  RowLabels labels;
  std::vector<Impression> rows(kValidationRows);
  size_t count = 0;
  for (bool more = true; more && count < rows.size();) {
    LARR_ASSIGN_OR_RETURN(more, stream.Next(rows[count]));
    if (more) labels.Add(rows[count++]);
  }
  ModelScores scores;
  const auto start = std::chrono::steady_clock::now();
  LARR_ASSIGN_OR_RETURN(const auto said,
                        recommender.Score(std::span(rows).first(count), true));
  LARR_RETURN_IF_ERROR(scores.Add(said));
  const double seconds = SecondsSince(start);
  spdlog::info("validated rows={} rows_per_second={:.2f}", count,
               static_cast<double>(count) / seconds);
  return MetricsJson(ComputeTaskMetrics(labels, scores, {}));
}

absl::Status Publish(const P5Stage& stage, const P5Recommender& recommender,
                     const LlmTrainer& trainer,
                     const ordered_json& validation) {
  const nlohmann::json& notes = trainer.notes();
  const double seconds = notes.value("seconds", 0.0);
  const auto rows = notes.value("rows", int64_t{0});
  const ordered_json training = {
      {"name", stage.config.name()},
      {"training_rows", recommender.description().training_rows()},
      {"steps", trainer.step()},
      {"seconds", stage.context.progress.elapsed()},
      {"train_seconds", seconds},
      {"tokens", notes.value("tokens", int64_t{0})},
      {"throughput", seconds > 0 ? static_cast<double>(rows) / seconds : 0.0},
      {"unit", "rows/s"},
      {"loss_every", 1},
      {"loss", trainer.curve()},
      {"validation", validation}};
  LARR_ASSIGN_OR_RETURN(auto writer,
                        ArtifactWriter::Create(stage.context.config.output()));
  LARR_RETURN_IF_ERROR(recommender.Write(writer.path()));
  LARR_RETURN_IF_ERROR(WriteFileAtomically(writer.path() / kTrainingFile,
                                           training.dump(2) + "\n"));
  config::v1::ArtifactManifest manifest;
  manifest.set_kind(kP5Kind);
  manifest.set_config(ToTextProto(stage.config));
  return writer.Finish(std::move(manifest)).status();
}

absl::Status TrainAndWrite(const P5Stage& stage, const Amount& amount,
                           P5Rows& rows, P5Recommender& recommender) {
  const P5Model& model = recommender.model();
  Optimizer optimizer(recommender.model().Train(),
                      stage.config.p5().optimizer(), amount.steps,
                      stage.context.ranks);
  LlmTrainer trainer(MakeTrainerOptions(stage.context, amount.steps,
                                        stage.config.checkpoint_steps(),
                                        /*kept_checkpoints=*/2, stage.identity),
                     optimizer);
  LARR_RETURN_IF_ERROR(trainer.Restore());
  auto& notes = trainer.notes();
  if (notes.contains("position")) rows.Seek(notes["position"]);
  const auto body = [&](int64_t) -> absl::StatusOr<StepResult> {
    LARR_ASSIGN_OR_RETURN(const P5Step step, rows.Next());
    notes["position"] = rows.position();
    return Learn(model, step, recommender.prompts().tasks(), optimizer);
  };
  LARR_RETURN_IF_ERROR(RunTrainer(stage.context, amount.steps, body, trainer));
  LARR_ASSIGN_OR_RETURN(const auto validation, Validate(stage, recommender));
  return Publish(stage, recommender, trainer, validation);
}

absl::Status Run(const P5Stage& stage) {
  const auto& spec = stage.context.config.spec();
  CtrModelDescription description;
  description.set_name(stage.config.name());
  *description.mutable_architecture() = stage.config.architecture();
  LARR_ASSIGN_OR_RETURN(
      *description.mutable_dataset(),
      WithoutLeftOutFeatures(stage.dataset.spec, stage.config));
  LARR_RETURN_IF_ERROR(CheckRecommenderInputs(
      stage.config.architecture().kind(), description.dataset()));
  description.set_has_order_task(
      !stage.dataset.spec.impressions().order_column().empty());
  LARR_ASSIGN_OR_RETURN(auto model,
                        P5Model::Start(spec.base_model(), stage.config.p5()));
  LARR_ASSIGN_OR_RETURN(
      const auto recommender,
      P5Recommender::Make(std::move(model), description, stage.dataset));
  P5Rows rows(stage.dataset, stage.config, stage.seed, recommender->text(),
              recommender->prompts());
  LARR_ASSIGN_OR_RETURN(
      const Amount amount,
      CountOnce(stage, P5Rows(stage.dataset, stage.config, stage.seed,
                              recommender->text(), recommender->prompts())));
  spdlog::info("counted rows={} steps={}", amount.rows, amount.steps);
  recommender->set_training_rows(amount.rows / stage.config.epochs());
  return TrainAndWrite(stage, amount, rows, *recommender);
}

}  // namespace

absl::Status RunP5(StageContext& context, const AlignConfig& config) {
  const auto& spec = context.config.spec();
  at::set_num_threads(context.threads());
  LARR_ASSIGN_OR_RETURN(Dataset dataset, OpenDataset(spec.dataset()));
  LARR_ASSIGN_OR_RETURN(const StageIdentity identity, IdentityOf(context));
  LARR_RETURN_IF_ERROR(context.ClaimWork(identity.all()));
  const P5Stage stage{context, config, std::move(dataset), SeedOf(config, spec),
                      identity.settings};
  return GuardTorch("training a P5", [&] { return Run(stage); });
}

}  // namespace larr::stage
