// SPDX-License-Identifier: Apache-2.0
#include "services/stage/evaluate.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "common/base/artifact_folder.h"
#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "common/config/stage_files.h"
#include "common/config/stage_inputs.h"
#include "common/config/text_proto.h"
#include "common/config/training_settings.h"
#include "common/ctr/bootstrap.h"
#include "common/ctr/model_io.h"
#include "common/dataset/impression_stream.h"
#include "common/store/snapshot.h"
#include "common/tensors/torch_status.h"
#include "services/stage/attention_json.h"
#include "services/stage/ctr_metrics_json.h"
#include "services/stage/ctr_row_scores.h"
#include "services/stage/kept_scores.h"
#include "services/stage/metric_slices.h"
#include "services/stage/p5_recommender.h"
#include "services/stage/part_metrics.h"
#include "services/stage/poi_slices.h"
#include "services/stage/row_scores.h"
#include "services/stage/scores_file.h"

namespace larr::stage {
namespace {

using nlohmann::ordered_json;

// Rows of a batch, which is what a kill may cost; where a model is slow.
constexpr size_t kBatchRows = 4096;
constexpr size_t kSlowBatchRows = 256;

// What a model is told of a row: all, or all but one kind of thing.
constexpr char kAll[] = "all";
constexpr char kNoUser[] = "user";
constexpr char kNoPoi[] = "poi";
constexpr char kNoTexts[] = "texts";
// What its scene encoder looks at.
constexpr char kAttention[] = "attention";

// A model and what it says about the part that is being scored.
struct Candidate {
  std::string name;
  std::unique_ptr<RowScores> model;
  std::map<std::string, ModelScores> scores = {};  // By what it was told.
  std::vector<torch::Tensor> attention = {};       // By batch, of test rows.

  std::string KeyOf(const std::string& told) const { return name + "/" + told; }
};

struct Evaluation {
  StageContext& context;
  const Dataset dataset;
  const std::map<std::string, std::string> parents;  // Digests by role.
  const KeptScores kept;
  std::unique_ptr<const Snapshot> snapshot = nullptr;
  std::vector<Candidate> models = {};
  std::optional<MetricSlices> slices = std::nullopt;
  int64_t rows_total = 0;
  int64_t rows_done = 0;

  const config::v1::EvaluateConfig& config() const {
    return context.config.spec().evaluate();
  }
  uint64_t seed() const { return SeedOf(config(), context.config.spec()); }
  int draws() const {
    const int draws = config().bootstrap_samples();
    return draws > 0 ? draws : 200;
  }
  bool has_orders() const {
    return !dataset.spec.impressions().order_column().empty();
  }
};

// What scores follow from, besides the rows.
std::string Origin(const StageContext& context, const Dataset& dataset,
                   const std::map<std::string, std::string>& parents) {
  std::string origin =
      fmt::format("code {}\nthreads {}\n{}", CodeVersion(), context.threads(),
                  ToTextProto(dataset.spec));
  for (const auto& align : context.config.spec().align())
    origin += fmt::format("model {}\n", align.name());
  for (const auto& [role, digest] : parents)
    origin += fmt::format("{} {}\n", role, digest);
  return origin;
}

absl::StatusOr<std::unique_ptr<RowScores>> OpenModel(
    Evaluation& evaluation, const std::filesystem::path& folder) {
  LARR_ASSIGN_OR_RETURN(const auto manifest, ReadArtifact(folder));
  if (manifest.kind() == kP5Kind) {
    LARR_ASSIGN_OR_RETURN(auto p5,
                          P5Recommender::Read(folder, evaluation.dataset));
    return std::unique_ptr<RowScores>(std::move(p5));
  }
  LARR_ASSIGN_OR_RETURN(auto loaded, LoadCtrModel(folder));
  const bool has_texts = loaded.description.text_dim() > 0;
  if (has_texts && evaluation.snapshot == nullptr) {
    LARR_ASSIGN_OR_RETURN(const auto path, evaluation.context.Input("embed"));
    LARR_ASSIGN_OR_RETURN(evaluation.snapshot, Snapshot::Open(path));
  }
  return CtrRowScores::Create(evaluation.dataset, std::move(loaded),
                              has_texts ? evaluation.snapshot.get() : nullptr);
}

absl::Status OpenModels(Evaluation& evaluation) {
  // In the order of the spec, so that tables read alike everywhere.
  for (const auto& align : evaluation.context.config.spec().align()) {
    LARR_ASSIGN_OR_RETURN(const auto folder,
                          evaluation.context.Input(AlignRole(align.name())));
    LARR_ASSIGN_OR_RETURN(auto model, OpenModel(evaluation, folder));
    evaluation.models.push_back({align.name(), std::move(model)});
  }
  if (evaluation.models.empty())
    return absl::InvalidArgumentError(
        "spec.align is empty: there is no model to evaluate");
  return absl::OkStatus();
}

// The rows without what is known of the entities of a side, which are left out
// as scoring leaves out an entity that it does not know: a cross that reads its
// row has its default, too.
std::vector<Impression> Without(config::v1::Side side,
                                std::span<const Impression> rows) {
  std::vector<Impression> told(rows.begin(), rows.end());
  for (Impression& row : told)
    (side == config::v1::USER ? row.user_index : row.poi_index) = -1;
  return told;
}

// What a model says of the rows: of test rows also where it looks, of others
// also what it says when something is missing.
absl::Status ScoreBatch(const Candidate& candidate, Part part,
                        std::span<const Impression> rows, BatchScores& scores) {
  const auto score = [&](const char* told, std::span<const Impression> of,
                         bool with_texts) -> absl::Status {
    LARR_ASSIGN_OR_RETURN(scores[candidate.KeyOf(told)],
                          candidate.model->Score(of, with_texts));
    return absl::OkStatus();
  };
  if (part == Part::kTest) {
    LARR_ASSIGN_OR_RETURN(const auto seen, candidate.model->ScoreAndLook(rows));
    scores[candidate.KeyOf(kAll)] = seen.probabilities;
    if (seen.attention.defined())
      scores[candidate.KeyOf(kAttention)] = seen.attention;
    return absl::OkStatus();
  }
  LARR_RETURN_IF_ERROR(score(kAll, rows, true));
  if (candidate.model->is_slow()) return absl::OkStatus();
  LARR_RETURN_IF_ERROR(score(kNoUser, Without(config::v1::USER, rows), true));
  LARR_RETURN_IF_ERROR(score(kNoPoi, Without(config::v1::POI, rows), true));
  return candidate.model->reads_texts() ? score(kNoTexts, rows, false)
                                        : absl::OkStatus();
}

void Report(Evaluation& evaluation) {
  ProgressWriter& progress = evaluation.context.progress;
  const auto rows = static_cast<double>(evaluation.rows_done);
  progress.Report(evaluation.rows_done,
                  std::max(evaluation.rows_done, evaluation.rows_total),
                  std::numeric_limits<double>::quiet_NaN(),
                  rows / progress.elapsed(), "rows/s");
}

// What all models say of a batch: as it was kept, else computed and kept.
absl::StatusOr<BatchScores> ScoreRows(Evaluation& evaluation, Part part,
                                      std::span<const Impression> rows) {
  const std::string key = evaluation.kept.KeyOf(PartName(part), rows);
  evaluation.rows_done += static_cast<int64_t>(rows.size());
  if (auto kept = evaluation.kept.Find(key)) return *std::move(kept);
  BatchScores scores;
  for (const Candidate& model : evaluation.models)
    LARR_RETURN_IF_ERROR(ScoreBatch(model, part, rows, scores));
  LARR_RETURN_IF_ERROR(evaluation.kept.Keep(key, scores));
  Report(evaluation);
  return scores;
}

void AddRow(const Evaluation& evaluation, const Impression& row,
            PartRows& rows) {
  rows.labels.Add(row);
  const std::vector<bool> in = evaluation.slices->Of(row);
  for (size_t s = 0; s < in.size(); ++s) rows.slices[s].chosen.push_back(in[s]);
  const auto& table = evaluation.dataset.spec.impressions();
  if (!table.true_click_probability_column().empty())
    rows.truth.ctr.push_back(row.true_click_probability);
  if (!table.true_ctcvr_probability_column().empty() && evaluation.has_orders())
    rows.truth.ctcvr.push_back(row.true_ctcvr_probability);
}

// Adds a batch's scores to those of its part. `file` is null for validation.
absl::Status AddScores(const BatchScores& scores,
                       std::span<const Impression> rows,
                       std::vector<Candidate>& models, ScoresFile* file) {
  std::vector<torch::Tensor> all;
  for (Candidate& model : models) {
    for (const char* told : {kAll, kNoUser, kNoPoi, kNoTexts}) {
      const auto found = scores.find(model.KeyOf(told));
      if (found != scores.end())
        LARR_RETURN_IF_ERROR(model.scores[told].Add(found->second));
    }
    const auto attention = scores.find(model.KeyOf(kAttention));
    if (attention != scores.end()) model.attention.push_back(attention->second);
    all.push_back(scores.at(model.KeyOf(kAll)));
  }
  return file == nullptr ? absl::OkStatus() : file->Append(rows, all);
}

// The next row that is scored. One without a group is a group of its own, by
// its place in the part, so that it is the same whatever rows are scored.
absl::StatusOr<bool> NextRow(const Evaluation& evaluation,
                             ImpressionStream& stream, Impression& row) {
  while (true) {
    const int64_t place = stream.position();
    LARR_ASSIGN_OR_RETURN(const bool more, stream.Next(row));
    if (more && row.group.empty()) row.group = fmt::format("\n{}", place);
    if (!more || !evaluation.config().sample_only() ||
        evaluation.slices->InSample(row))
      return more;
  }
}

// Scores a part by every model. `file` is null for validation.
absl::StatusOr<PartRows> ScorePart(Evaluation& evaluation, Part part,
                                   ScoresFile* file) {
  for (Candidate& model : evaluation.models) model.scores.clear();
  LARR_ASSIGN_OR_RETURN(
      auto stream,
      ImpressionStream::Open(evaluation.dataset,
                             {.part = part, .slice_columns = true}));
  PartRows rows;
  for (const std::string& name : evaluation.slices->names())
    rows.slices.push_back({name, {}});
  const bool slow = std::any_of(
      evaluation.models.begin(), evaluation.models.end(),
      [](const Candidate& candidate) { return candidate.model->is_slow(); });
  std::vector<Impression> next(slow ? kSlowBatchRows : kBatchRows);
  size_t count = 0;
  for (bool more = true; more;) {
    LARR_ASSIGN_OR_RETURN(more, NextRow(evaluation, stream, next[count]));
    if (more) AddRow(evaluation, next[count++], rows);
    if (count == 0 || (more && count < next.size())) continue;
    const auto batch = std::span(next).first(count);
    LARR_ASSIGN_OR_RETURN(const BatchScores scores,
                          ScoreRows(evaluation, part, batch));
    LARR_RETURN_IF_ERROR(AddScores(scores, batch, evaluation.models, file));
    count = 0;
  }
  return rows;
}

ordered_json MissingJson(const Candidate& model, const PartRows& rows) {
  ordered_json out;
  for (const char* what : {kNoUser, kNoPoi, kNoTexts}) {
    const auto scores = model.scores.find(what);
    if (scores != model.scores.end())
      out[what] =
          SliceJson(rows.labels, scores->second, !scores->second.ctcvr.empty());
  }
  return out;
}

absl::StatusOr<ScoresFile> CreateScoresFile(
    const std::filesystem::path& path, const std::vector<Candidate>& models) {
  std::vector<ScoresFile::Model> columns;
  for (const Candidate& model : models)
    columns.push_back({model.name, model.model->has_order_task()});
  return ScoresFile::Create(path, columns);
}

// metrics.json and replicates.json.
struct Files {
  ordered_json metrics;
  ordered_json replicates;
};

Files StartFiles(const Evaluation& evaluation) {
  Files files;
  files.metrics = {{"dataset", evaluation.dataset.spec.name()},
                   {"bootstrap_samples", evaluation.draws()}};
  files.replicates = {{"draws", evaluation.draws()},
                      {"unit", "group"},
                      {"seed", evaluation.seed()}};
  for (const PoiSlice slice : {PoiSlice::kRare, PoiSlice::kFrequent})
    files.metrics["pois"][std::string(PoiSliceName(slice))] =
        evaluation.slices->pois().CountOf(slice);
  return files;
}

// Replicates are reported of test rows alone.
void JudgePart(Evaluation& evaluation, Part part, const PartRows& rows,
               Files& files) {
  const std::string name(PartName(part));
  const GroupDraws draws(rows.labels.group_keys, evaluation.draws(),
                         evaluation.seed());
  const auto judge = [&](const ModelScores& scores, ordered_json& metrics,
                         ordered_json& replicates) {
    PartMetrics judged = ComputePartMetrics(rows, scores, draws);
    metrics[name] = std::move(judged.metrics);
    if (part == Part::kTest) replicates = std::move(judged.replicates);
  };
  for (Candidate& model : evaluation.models) {
    ordered_json& metrics = files.metrics["models"][model.name];
    judge(model.scores[kAll], metrics, files.replicates["models"][model.name]);
    if (part == Part::kValidation)
      metrics["missing"] = MissingJson(model, rows);
    if (!model.attention.empty())
      metrics["attention"] =
          AttentionJson(model.model->scene_features(),
                        torch::cat(model.attention), rows.slices);
  }
  if (!rows.truth.ctr.empty())
    judge(rows.truth, files.metrics["bayes"], files.replicates["bayes"]);
}

absl::StatusOr<Files> Score(Evaluation& evaluation,
                            const std::filesystem::path& folder) {
  Files files = StartFiles(evaluation);
  LARR_ASSIGN_OR_RETURN(
      auto file, CreateScoresFile(folder / kTestScoresFile, evaluation.models));
  for (const auto& [part, sink] :
       {std::pair{Part::kValidation, static_cast<ScoresFile*>(nullptr)},
        {Part::kTest, &file}}) {
    LARR_ASSIGN_OR_RETURN(const PartRows rows,
                          ScorePart(evaluation, part, sink));
    JudgePart(evaluation, part, rows, files);
    spdlog::info("scored part={} rows={}", PartName(part), rows.labels.size());
  }
  LARR_RETURN_IF_ERROR(file.Finish());
  return files;
}

// About so many rows will be scored.
absl::StatusOr<int64_t> CountRows(const Evaluation& evaluation) {
  int64_t rows = 0;
  for (const Part part : {Part::kValidation, Part::kTest}) {
    LARR_ASSIGN_OR_RETURN(
        const auto stream,
        ImpressionStream::Open(evaluation.dataset, {.part = part}));
    rows += std::max<int64_t>(0, stream.total_rows());
  }
  const auto& config = evaluation.config();
  return config.sample_only() ? std::llround(static_cast<double>(rows) *
                                             config.sample_fraction())
                              : rows;
}

absl::Status Run(StageContext& context) {
  at::set_num_threads(context.threads());
  LARR_ASSIGN_OR_RETURN(Dataset dataset,
                        OpenDataset(context.config.spec().dataset()));
  LARR_ASSIGN_OR_RETURN(auto parents, context.InputDigests());
  KeptScores kept(std::filesystem::path(context.config.work()) / "scores",
                  Origin(context, dataset, parents));
  Evaluation evaluation{context, std::move(dataset), std::move(parents),
                        std::move(kept)};
  LARR_RETURN_IF_ERROR(OpenModels(evaluation));
  LARR_ASSIGN_OR_RETURN(
      evaluation.slices,
      MetricSlices::Learn(evaluation.dataset,
                          evaluation.config().sample_fraction()));
  LARR_ASSIGN_OR_RETURN(evaluation.rows_total, CountRows(evaluation));
  LARR_ASSIGN_OR_RETURN(auto writer,
                        ArtifactWriter::Create(context.config.output()));
  LARR_ASSIGN_OR_RETURN(const Files files, Score(evaluation, writer.path()));
  LARR_RETURN_IF_ERROR(WriteFileAtomically(writer.path() / kMetricsFile,
                                           files.metrics.dump(2) + "\n"));
  LARR_RETURN_IF_ERROR(WriteFileAtomically(writer.path() / kReplicatesFile,
                                           files.replicates.dump() + "\n"));
  config::v1::ArtifactManifest manifest;
  manifest.set_kind("evaluate");
  manifest.set_config(ToTextProto(context.config.spec().evaluate()));
  manifest.mutable_parents()->insert(evaluation.parents.begin(),
                                     evaluation.parents.end());
  return writer.Finish(std::move(manifest)).status();
}

}  // namespace

absl::Status RunEvaluate(StageContext& context) {
  return GuardTorch("evaluate", [&] { return Run(context); });
}

}  // namespace larr::stage
