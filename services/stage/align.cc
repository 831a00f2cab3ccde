// SPDX-License-Identifier: Apache-2.0
#include "services/stage/align.h"

#include <ATen/Parallel.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/artifact_folder.h"
#include "common/base/files.h"
#include "common/base/invalid_argument.h"
#include "common/base/keep_freed_memory.h"
#include "common/base/read_ahead.h"
#include "common/base/seconds_since.h"
#include "common/base/status_macros.h"
#include "common/config/left_out_features.h"
#include "common/config/stage_files.h"
#include "common/config/text_proto.h"
#include "common/config/training_settings.h"
#include "common/ctr/model_io.h"
#include "common/ctr/score_distribution.h"
#include "common/ctr/trainer.h"
#include "common/dataset/impression_stream.h"
#include "common/features/feature_learner.h"
#include "common/store/snapshot.h"
#include "common/tensors/torch_status.h"
#include "services/stage/best_epoch.h"
#include "services/stage/ctr_batcher.h"
#include "services/stage/epoch_batches.h"
#include "services/stage/identity.h"
#include "services/stage/loss_curve.h"
#include "services/stage/p5.h"
#include "services/stage/validation.h"

namespace larr::stage {
namespace {

using Clock = std::chrono::steady_clock;
using config::v1::AlignConfig;
using config::v1::CtrArchitecture;
using config::v1::CtrModelDescription;
using nlohmann::ordered_json;

constexpr char kDescription[] = "description.textproto";
constexpr char kCheckpoint[] = "checkpoint.safetensors";
constexpr char kCurve[] = "curve.json";

// What all steps share.
struct Align {
  StageContext& context;
  AlignConfig config;
  Dataset dataset;
  std::unique_ptr<const Snapshot> snapshot;  // Null without texts.
  std::filesystem::path work;

  uint64_t seed() const { return SeedOf(config, context.config.spec()); }
  bool has_texts() const { return snapshot != nullptr; }

  // The training rows of an epoch, the first `skip` left out.
  absl::StatusOr<ImpressionStream> TrainingRows(int64_t epoch,
                                                int64_t skip) const {
    return OpenTrainingRows(dataset, config, seed(), epoch, skip);
  }
};

absl::StatusOr<Align> Prepare(StageContext& context, AlignConfig config) {
  LARR_ASSIGN_OR_RETURN(Dataset dataset,
                        OpenDataset(context.config.spec().dataset()));
  // From here on the dataset has what this model reads.
  LARR_ASSIGN_OR_RETURN(
      dataset.spec, WithoutLeftOutFeatures(std::move(dataset.spec), config));
  LARR_ASSIGN_OR_RETURN(dataset.texts, TextRenderer::Create(dataset.spec));
  LARR_RETURN_IF_ERROR(
      CheckRecommenderInputs(config.architecture().kind(), dataset.spec));
  std::unique_ptr<const Snapshot> snapshot;
  if (config.architecture().kind() == CtrArchitecture::LARR) {
    LARR_ASSIGN_OR_RETURN(const auto folder, context.Input("embed"));
    LARR_ASSIGN_OR_RETURN(snapshot, Snapshot::Open(folder));
  }
  return Align{context, std::move(config), std::move(dataset),
               std::move(snapshot), context.config.work()};
}

// --- Step 1: what the encoding of features learns from training rows. -------

absl::StatusOr<CtrModelDescription> Learn(const Align& align) {
  LARR_ASSIGN_OR_RETURN(FeatureLearner learner,
                        FeatureLearner::Create(align.dataset.spec));
  LARR_ASSIGN_OR_RETURN(auto stream, align.TrainingRows(0, 0));
  Impression row;
  while (true) {
    LARR_ASSIGN_OR_RETURN(const bool more, stream.Next(row));
    if (!more) break;
    learner.Add(row.rows());
  }
  if (stream.position() == 0)
    return Invalid("dataset \"{}\" has no training rows; check its split",
                   align.dataset.spec.name());
  CtrModelDescription description;
  description.set_name(align.config.name());
  *description.mutable_architecture() = align.config.architecture();
  *description.mutable_dataset() = align.dataset.spec;
  description.mutable_dataset()->clear_slices();
  *description.mutable_features() = learner.Finish();
  description.set_has_order_task(
      !align.dataset.spec.impressions().order_column().empty());
  description.set_training_rows(stream.position());
  if (align.has_texts()) {
    description.set_text_dim(align.snapshot->dim());
    description.set_embedder_fingerprint(align.snapshot->fingerprint());
  }
  return description;
}

absl::StatusOr<CtrModelDescription> LearnOnce(const Align& align) {
  const auto path = align.work / kDescription;
  if (std::filesystem::exists(path))
    return LoadTextProto<CtrModelDescription>(path);
  LARR_ASSIGN_OR_RETURN(const CtrModelDescription description, Learn(align));
  spdlog::info("learned features rows={}", description.training_rows());
  LARR_RETURN_IF_ERROR(WriteFileAtomically(path, ToTextProto(description)));
  return description;
}

absl::Status SetStatistics(const Align& align, SceneEncoder& encoder) {
  SceneTexts texts(align.dataset.texts, align.dataset.spec.scene_features(),
                   *align.snapshot);
  LARR_ASSIGN_OR_RETURN(auto stream, align.TrainingRows(0, 0));
  std::vector<int32_t> found(texts.slot_count());
  Impression row;
  for (int i = 0; i < align.config.shuffle_rows(); ++i) {
    LARR_ASSIGN_OR_RETURN(const bool more, stream.Next(row));
    if (!more) break;
    texts.Find(row, found);
  }
  LARR_RETURN_IF_ERROR(texts.ReadVectors());
  std::vector<torch::Tensor> vectors;
  std::vector<int64_t> slots;
  for (int32_t text = 0; text < texts.size(); ++text) {
    if (!texts.present(text)) continue;
    vectors.push_back(torch::from_blob(const_cast<float*>(texts.vector(text)),
                                       {texts.dim()}, torch::kFloat32));
    slots.push_back(texts.slot(text));
  }
  spdlog::info("scene texts found={} missing={}", slots.size(),
               texts.missing());
  if (vectors.empty())
    return Invalid(
        "snapshot {} has none of the training rows' texts; embed this dataset",
        align.snapshot->folder().string());
  encoder.SetStatistics(torch::stack(vectors),
                        torch::tensor(slots, torch::kInt64));
  return absl::OkStatus();
}

// --- Step 2: training. -------------------------------------------------------

struct Trained {
  ordered_json loss;  // LossCurve::points.
  int64_t steps = 0;
  int64_t epoch = 0;                      // Whose model it is, from 1.
  std::vector<double> validation_losses;  // By epoch; empty without patience.
  double seconds = 0;                     // Of this process.
  double throughput = 0;
};

// What training changes, and where it stands.
struct Training {
  CtrTrainer trainer;
  std::optional<BestEpoch> best;  // With patience.
  LossCurve curve;

  bool ended() const { return best.has_value() && best->ended(); }
  CtrTrainer::Tensors BestState() const {
    return best.has_value() ? best->State() : CtrTrainer::Tensors();
  }
};

absl::Status Checkpoint(const Align& align, const Training& training) {
  LARR_RETURN_IF_ERROR(training.curve.Save(align.work / kCurve));
  return training.trainer.Save(align.work / kCheckpoint, training.BestState());
}

// What writes of the checkpoint that were killed left aside.
absl::Status RemoveTornCheckpoints(const Align& align) {
  LARR_ASSIGN_OR_RETURN(const auto entries, ListFolder(align.work));
  for (const auto& entry : entries) {
    const std::string name = entry.filename();
    std::error_code ignored;
    if (name.starts_with(std::string(kCheckpoint) + ".tmp."))
      std::filesystem::remove(entry, ignored);
  }
  return absl::OkStatus();
}

// From the checkpoint, if there is one.
absl::StatusOr<Training> Begin(const Align& align, CtrModel& model) {
  LARR_RETURN_IF_ERROR(RemoveTornCheckpoints(align));
  Training training{CtrTrainer(model, align.config, align.seed()), {}, {}};
  if (align.config.patience() > 0)
    training.best.emplace(model, align.config.epochs(),
                          align.config.patience());
  if (std::filesystem::exists(align.work / kCheckpoint)) {
    LARR_RETURN_IF_ERROR(training.trainer.Restore(align.work / kCheckpoint,
                                                  training.BestState()));
    LARR_RETURN_IF_ERROR(
        training.curve.Load(align.work / kCurve, training.trainer.step()));
    spdlog::info("resumed step={}", training.trainer.step());
  } else if (align.has_texts()) {
    LARR_RETURN_IF_ERROR(SetStatistics(align, *model.scene_encoder()));
  }
  return training;
}

// The model becomes that of the best epoch.
void Finish(Training& training, int64_t steps_per_epoch, Trained& trained) {
  trained.loss = training.curve.points();
  trained.steps = training.trainer.step();
  trained.epoch = trained.steps / steps_per_epoch;
  if (!training.best.has_value()) return;
  trained.epoch = training.best->best();
  trained.validation_losses = training.best->losses();
  training.best->Restore();
}

absl::StatusOr<Trained> Train(Align& align,
                              const CtrModelDescription& description,
                              CtrModel& model, CtrBatcher& batcher,
                              CtrBatcher& validation) {
  LARR_ASSIGN_OR_RETURN(Training training, Begin(align, model));
  CtrTrainer& trainer = training.trainer;
  const int64_t batch_size = align.config.batch_size();
  const int64_t steps_per_epoch =
      (description.training_rows() + batch_size - 1) / batch_size;
  const int64_t steps = steps_per_epoch * align.config.epochs();
  // Checkpoints fall on points of the curve, so that it is the same again.
  const int64_t checkpoint_steps =
      (align.config.checkpoint_steps() + LossCurve::kEvery - 1) /
      LossCurve::kEvery * LossCurve::kEvery;
  EpochBatches reader(
      [&](int64_t epoch, int64_t skip) {
        return align.TrainingRows(epoch, skip);
      },
      batcher, batch_size, steps_per_epoch, trainer.step());
  ReadAhead<CtrBatch> batches(steps - trainer.step(), [&reader] {
    return GuardTorch("making a batch", [&reader] { return reader.Next(); });
  });
  const auto pace = [&] {
    return align.config.linear_decay()
               ? static_cast<double>(steps - trainer.step()) / steps
               : 1.0;
  };
  Trained trained;
  auto start = Clock::now();
  int64_t rows = 0;
  while (trainer.step() < steps && !training.ended()) {
    LARR_ASSIGN_OR_RETURN(const CtrBatch batch, batches.Next());
    LARR_ASSIGN_OR_RETURN(const StepLoss loss, trainer.Step(batch, pace()));
    rows += batch.rows();
    trained.seconds = SecondsSince(start);
    trained.throughput = static_cast<double>(rows) / trained.seconds;
    if (training.curve.Add(trainer.step(), loss, steps))
      align.context.progress.Report(trainer.step(), steps,
                                    training.curve.last(), trained.throughput,
                                    "samples/s");
    if (training.best.has_value() && trainer.step() % steps_per_epoch == 0) {
      const auto before = Clock::now();
      LARR_ASSIGN_OR_RETURN(const double validation_loss,
                            ValidationLoss(align.dataset, model, validation));
      training.best->Add(validation_loss);
      start += Clock::now() - before;  // It is no training.
    }
    if (trainer.step() % checkpoint_steps == 0)
      LARR_RETURN_IF_ERROR(Checkpoint(align, training));
  }
  batches.Stop();
  training.curve.Finish(trainer.step());
  Finish(training, steps_per_epoch, trained);
  spdlog::info(
      "trained steps={} epoch={} samples_per_second={:.0f} missing_texts={}",
      trained.steps, trained.epoch, trained.throughput,
      batcher.missing_texts());
  return trained;
}

// --- Step 3: validation, and the artifact. -----------------------------------

absl::Status Publish(const Align& align, const CtrModelDescription& description,
                     const CtrModel& model, const ordered_json& training,
                     const config::v1::ScoreDistribution& scores) {
  LARR_ASSIGN_OR_RETURN(auto writer,
                        ArtifactWriter::Create(align.context.config.output()));
  LARR_RETURN_IF_ERROR(SaveCtrModel(writer.path(), description, model));
  LARR_RETURN_IF_ERROR(WriteFileAtomically(writer.path() / kTrainingFile,
                                           training.dump(2) + "\n"));
  if (scores.has_ctr())
    LARR_RETURN_IF_ERROR(
        WriteFileAtomically(writer.path() / kScoresFile, ToTextProto(scores)));
  config::v1::ArtifactManifest manifest;
  manifest.set_kind(kCtrModelKind);
  AlignConfig config = align.config;
  config.set_seed(align.seed());  // Whoever trains it again has not our run's.
  manifest.set_config(ToTextProto(config));
  manifest.set_embedder_fingerprint(description.embedder_fingerprint());
  if (align.has_texts())
    (*manifest.mutable_parents())["embed"] = align.snapshot->digest();
  return writer.Finish(std::move(manifest)).status();
}

absl::Status Run(StageContext& context, const AlignConfig& config) {
  const auto start = Clock::now();
  KeepFreedMemory();
  at::set_num_threads(context.threads());
  LARR_ASSIGN_OR_RETURN(Align align, Prepare(context, config));
  LARR_ASSIGN_OR_RETURN(const auto identity, IdentityOf(context));
  LARR_RETURN_IF_ERROR(context.ClaimWork(identity.all()));
  LARR_ASSIGN_OR_RETURN(const CtrModelDescription description,
                        LearnOnce(align));
  LARR_ASSIGN_OR_RETURN(const auto model,
                        NewCtrModel(description, align.seed()));
  const auto make_batcher = [&] {
    return CtrBatcher::Create(align.dataset, description, align.snapshot.get());
  };
  LARR_ASSIGN_OR_RETURN(const auto batcher, make_batcher());
  // The other's rows are still being read while an epoch is validated.
  LARR_ASSIGN_OR_RETURN(const auto validator, make_batcher());
  LARR_ASSIGN_OR_RETURN(const Trained trained, Train(align, description, *model,
                                                     *batcher, *validator));
  LARR_ASSIGN_OR_RETURN(const Validation validation,
                        Validate(align.dataset, *model, *validator));
  return Publish(align, description, *model,
                 {{"name", description.name()},
                  {"training_rows", description.training_rows()},
                  {"batch_size", align.config.batch_size()},
                  {"steps", trained.steps},
                  {"epoch", trained.epoch},
                  {"validation_losses", trained.validation_losses},
                  {"seconds", SecondsSince(start)},
                  {"train_seconds", trained.seconds},
                  {"throughput", trained.throughput},
                  {"unit", "samples/s"},
                  {"loss_every", LossCurve::kEvery},
                  {"loss", trained.loss},
                  {"validation", validation.metrics}},
                 validation.scores);
}

}  // namespace

absl::Status RunAlign(StageContext& context) {
  LARR_ASSIGN_OR_RETURN(const AlignConfig config,
                        CompleteAlignConfig(context.config));
  if (config.architecture().kind() == CtrArchitecture::P5)
    return RunP5(context, config);
  return GuardTorch("align", [&] { return Run(context, config); });
}

}  // namespace larr::stage
