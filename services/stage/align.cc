// SPDX-License-Identifier: Apache-2.0
#include "services/stage/align.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <malloc.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/artifact_folder.h"
#include "common/base/files.h"
#include "common/base/read_ahead.h"
#include "common/base/status_macros.h"
#include "common/config/text_proto.h"
#include "common/ctr/model_io.h"
#include "common/ctr/score_distribution.h"
#include "common/ctr/trainer.h"
#include "common/dataset/impression_stream.h"
#include "common/features/feature_learner.h"
#include "common/store/snapshot.h"
#include "common/tensors/torch_status.h"
#include "services/stage/ctr_batcher.h"
#include "services/stage/ctr_metrics_json.h"
#include "services/stage/identity.h"
#include "services/stage/loss_curve.h"

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
constexpr int64_t kScoreRows = 4096;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// What all steps share.
struct Align {
  StageContext& context;
  AlignConfig config;
  Dataset dataset;
  std::unique_ptr<const Snapshot> snapshot;  // Null without texts.
  std::filesystem::path work;

  uint64_t seed() const { return context.config.spec().seed(); }
  bool has_texts() const { return snapshot != nullptr; }

  // With `max_rows` each epoch must see the same rows, so in the same order.
  uint64_t EpochSeed(int64_t epoch) const {
    return seed() + (config.max_rows() > 0 ? 0 : static_cast<uint64_t>(epoch));
  }

  // The training rows of an epoch, the first `skip` left out.
  absl::StatusOr<ImpressionStream> TrainingRows(int64_t epoch,
                                                int64_t skip) const {
    return ImpressionStream::Open(dataset,
                                  {.part = Part::kTrain,
                                   .seed = EpochSeed(epoch),
                                   .shuffle_rows = config.shuffle_rows(),
                                   .skip_rows = skip,
                                   .max_rows = config.max_rows()});
  }
};

absl::StatusOr<AlignConfig> FindConfig(const config::v1::StageConfig& config) {
  for (const AlignConfig& candidate : config.spec().align())
    if (candidate.name() == config.align_name())
      return CompleteAlignConfig(candidate);
  return absl::InvalidArgumentError(
      fmt::format("spec.align has no model named \"{}\"", config.align_name()));
}

absl::StatusOr<Align> Prepare(StageContext& context) {
  LARR_ASSIGN_OR_RETURN(AlignConfig config, FindConfig(context.config));
  LARR_ASSIGN_OR_RETURN(Dataset dataset,
                        OpenDataset(context.config.spec().dataset()));
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
    return absl::InvalidArgumentError(
        fmt::format("dataset \"{}\" has no training rows; check its split",
                    align.dataset.spec.name()));
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
  SceneTexts texts(align.dataset.texts, *align.snapshot);
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
    return absl::InvalidArgumentError(fmt::format(
        "snapshot {} has none of the training rows' texts; embed this dataset",
        align.snapshot->folder().string()));
  encoder.SetStatistics(torch::stack(vectors),
                        torch::tensor(slots, torch::kInt64));
  return absl::OkStatus();
}

// --- Step 2: training. -------------------------------------------------------

// The batches of all epochs in order, from those of `step` on.
class BatchReader {
 public:
  BatchReader(const Align& align, CtrBatcher& batcher, int64_t steps_per_epoch,
              int64_t step)
      : align_(align),
        batcher_(batcher),
        epoch_(step / steps_per_epoch),
        skip_(step % steps_per_epoch * align.config.batch_size()) {}

  absl::StatusOr<CtrBatch> Next() {
    while (batcher_.rows() < align_.config.batch_size()) {
      if (!stream_.has_value()) {
        LARR_ASSIGN_OR_RETURN(stream_, align_.TrainingRows(epoch_, skip_));
      }
      LARR_ASSIGN_OR_RETURN(const bool more, stream_->Next(row_));
      if (more) {
        batcher_.Add(row_);
        continue;
      }
      stream_.reset();
      ++epoch_;
      skip_ = 0;
      if (batcher_.rows() > 0) break;
    }
    return batcher_.Take();
  }

 private:
  const Align& align_;
  CtrBatcher& batcher_;
  int64_t epoch_;
  int64_t skip_;  // Rows of the epoch that were trained on.
  std::optional<ImpressionStream> stream_;
  Impression row_;
};

struct Trained {
  LossCurve curve;
  int64_t steps = 0;
  double seconds = 0;  // Of this process.
  double throughput = 0;
};

absl::Status Checkpoint(const Align& align, const CtrTrainer& trainer,
                        const LossCurve& curve) {
  LARR_RETURN_IF_ERROR(curve.Save(align.work / kCurve));
  return trainer.Save(align.work / kCheckpoint);
}

absl::StatusOr<Trained> Train(Align& align,
                              const CtrModelDescription& description,
                              CtrModel& model, CtrBatcher& batcher) {
  CtrTrainer trainer(model, align.config, align.seed());
  Trained trained;
  if (std::filesystem::exists(align.work / kCheckpoint)) {
    LARR_RETURN_IF_ERROR(trainer.Restore(align.work / kCheckpoint));
    LARR_RETURN_IF_ERROR(
        trained.curve.Load(align.work / kCurve, trainer.step()));
    spdlog::info("resumed step={}", trainer.step());
  } else if (align.has_texts()) {
    LARR_RETURN_IF_ERROR(SetStatistics(align, *model.scene_encoder()));
  }
  const int64_t batch_size = align.config.batch_size();
  const int64_t steps_per_epoch =
      (description.training_rows() + batch_size - 1) / batch_size;
  trained.steps = steps_per_epoch * align.config.epochs();
  // Checkpoints fall on points of the curve, so that it is the same again.
  const int64_t checkpoint_steps =
      (align.config.checkpoint_steps() + LossCurve::kEvery - 1) /
      LossCurve::kEvery * LossCurve::kEvery;
  BatchReader reader(align, batcher, steps_per_epoch, trainer.step());
  ReadAhead<CtrBatch> batches(trained.steps - trainer.step(), [&reader] {
    return GuardTorch("making a batch", [&reader] { return reader.Next(); });
  });
  const auto start = Clock::now();
  int64_t rows = 0;
  while (trainer.step() < trained.steps) {
    LARR_ASSIGN_OR_RETURN(const CtrBatch batch, batches.Next());
    LARR_ASSIGN_OR_RETURN(const StepLoss loss, trainer.Step(batch));
    rows += batch.rows();
    trained.seconds = SecondsSince(start);
    trained.throughput = static_cast<double>(rows) / trained.seconds;
    if (trained.curve.Add(trainer.step(), loss, trained.steps))
      align.context.progress.Report(trainer.step(), trained.steps,
                                    trained.curve.last(), trained.throughput,
                                    "samples/s");
    if (trainer.step() % checkpoint_steps == 0)
      LARR_RETURN_IF_ERROR(Checkpoint(align, trainer, trained.curve));
  }
  spdlog::info("trained steps={} samples_per_second={:.0f} missing_texts={}",
               trained.steps, trained.throughput, batcher.missing_texts());
  return trained;
}

// --- Step 3: validation. -----------------------------------------------------

struct Validation {
  ordered_json metrics;
  config::v1::ScoreDistribution scores;  // Empty without rows.
};

config::v1::ScoreDistribution DistributionOf(const ModelScores& scores) {
  config::v1::ScoreDistribution distribution;
  if (!scores.ctr.empty())
    *distribution.mutable_ctr() = MakeHistogram(scores.ctr);
  if (!scores.ctcvr.empty())
    *distribution.mutable_ctcvr() = MakeHistogram(scores.ctcvr);
  return distribution;
}

absl::StatusOr<Validation> Validate(const Align& align, CtrModel& model,
                                    CtrBatcher& batcher) {
  LARR_ASSIGN_OR_RETURN(
      auto stream,
      ImpressionStream::Open(align.dataset, {.part = Part::kValidation}));
  RowLabels labels;
  ModelScores scores;
  Impression row;
  for (bool more = true; more;) {
    LARR_ASSIGN_OR_RETURN(more, stream.Next(row));
    if (more) {
      batcher.Add(row);
      labels.Add(row);
    }
    if (batcher.rows() == 0 || (more && batcher.rows() < kScoreRows)) continue;
    LARR_ASSIGN_OR_RETURN(const CtrBatch batch, batcher.Take());
    scores.Add(model.Predict(batch));
  }
  return Validation{MetricsJson(labels, scores, /*bootstrap_samples=*/0, 0),
                    DistributionOf(scores)};
}

absl::Status Publish(const Align& align, const CtrModelDescription& description,
                     const CtrModel& model, const ordered_json& training,
                     const config::v1::ScoreDistribution& scores) {
  LARR_ASSIGN_OR_RETURN(auto writer,
                        ArtifactWriter::Create(align.context.config.output()));
  LARR_RETURN_IF_ERROR(SaveCtrModel(writer.path(), description, model));
  LARR_RETURN_IF_ERROR(WriteFileAtomically(writer.path() / "training.json",
                                           training.dump(2) + "\n"));
  if (scores.has_ctr())
    LARR_RETURN_IF_ERROR(
        WriteFileAtomically(writer.path() / kScoresFile, ToTextProto(scores)));
  config::v1::ArtifactManifest manifest;
  manifest.set_kind("ctr_model");
  manifest.set_config(ToTextProto(align.config));
  manifest.set_embedder_fingerprint(description.embedder_fingerprint());
  if (align.has_texts())
    (*manifest.mutable_parents())["embed"] = align.snapshot->digest();
  return writer.Finish(std::move(manifest)).status();
}

absl::Status Run(StageContext& context) {
  const auto start = Clock::now();
  // Tensors of a step go back to the heap, not to the system: the next step
  // would fault every page of them in again.
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  at::set_num_threads(context.threads());
  LARR_ASSIGN_OR_RETURN(Align align, Prepare(context));
  LARR_ASSIGN_OR_RETURN(const auto identity, IdentityOf(context));
  LARR_RETURN_IF_ERROR(context.ClaimWork(identity.all()));
  LARR_ASSIGN_OR_RETURN(const CtrModelDescription description,
                        LearnOnce(align));
  LARR_ASSIGN_OR_RETURN(const auto model,
                        NewCtrModel(description, align.seed()));
  LARR_ASSIGN_OR_RETURN(
      const auto batcher,
      CtrBatcher::Create(align.dataset, description, align.snapshot.get()));
  LARR_ASSIGN_OR_RETURN(const Trained trained,
                        Train(align, description, *model, *batcher));
  LARR_ASSIGN_OR_RETURN(const Validation validation,
                        Validate(align, *model, *batcher));
  return Publish(align, description, *model,
                 {{"name", description.name()},
                  {"training_rows", description.training_rows()},
                  {"batch_size", align.config.batch_size()},
                  {"steps", trained.steps},
                  {"seconds", SecondsSince(start)},
                  {"train_seconds", trained.seconds},
                  {"throughput", trained.throughput},
                  {"unit", "samples/s"},
                  {"loss_every", LossCurve::kEvery},
                  {"loss", trained.curve.points()},
                  {"validation", validation.metrics}},
                 validation.scores);
}

}  // namespace

absl::Status RunAlign(StageContext& context) {
  return GuardTorch("align", [&] { return Run(context); });
}

}  // namespace larr::stage
