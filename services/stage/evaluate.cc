// SPDX-License-Identifier: Apache-2.0
#include "services/stage/evaluate.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
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
#include "common/config/text_proto.h"
#include "common/ctr/model_io.h"
#include "common/dataset/impression_stream.h"
#include "common/store/snapshot.h"
#include "common/tensors/torch_status.h"
#include "services/stage/ctr_batcher.h"
#include "services/stage/ctr_metrics_json.h"
#include "services/stage/kept_scores.h"
#include "services/stage/poi_slices.h"
#include "services/stage/scores_file.h"

namespace larr::stage {
namespace {

using nlohmann::ordered_json;

constexpr int64_t kBatchRows = 4096;
constexpr char kRole[] = "align/";

// What a model is told of a row: all, or all but one kind of thing.
constexpr char kAll[] = "all";
constexpr char kNoUser[] = "user";
constexpr char kNoPoi[] = "poi";
constexpr char kNoTexts[] = "texts";

// A model and what it says about the part that is being scored.
struct Candidate {
  std::string name;
  LoadedCtrModel loaded;
  std::unique_ptr<CtrBatcher> batcher;
  std::map<std::string, ModelScores> scores;  // By what it was told.

  std::string KeyOf(const std::string& told) const { return name + "/" + told; }
};

struct Evaluation {
  StageContext& context;
  const Dataset dataset;
  const std::map<std::string, std::string> parents;  // Digests by role.
  const KeptScores kept;
  std::unique_ptr<const Snapshot> snapshot = nullptr;
  std::vector<Candidate> models = {};
  PoiSlices slices = {};
  int64_t rows_total = 0;
  int64_t rows_done = 0;

  int samples() const {
    const int samples = context.config.spec().evaluate().bootstrap_samples();
    return samples > 0 ? samples : 200;
  }
  bool has_orders() const {
    return !dataset.spec.impressions().order_column().empty();
  }
};

// A part's rows, scored.
struct PartScores {
  RowLabels labels;
  ModelScores truth;  // Empty where the dataset does not know it.
  std::vector<PoiSlice> slices;
};

absl::StatusOr<std::map<std::string, std::string>> Parents(
    const StageContext& context) {
  std::map<std::string, std::string> parents;
  for (const auto& [role, path] : context.config.inputs()) {
    if (role != "embed" && role.rfind(kRole, 0) != 0) continue;
    LARR_ASSIGN_OR_RETURN(const auto parent, ReadArtifact(path));
    parents[role] = parent.digest();
  }
  return parents;
}

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

absl::Status LoadModels(Evaluation& evaluation) {
  // In the order of the spec, so that tables read alike everywhere.
  for (const auto& align : evaluation.context.config.spec().align()) {
    LARR_ASSIGN_OR_RETURN(const auto folder,
                          evaluation.context.Input(kRole + align.name()));
    Candidate candidate{.name = align.name()};
    LARR_ASSIGN_OR_RETURN(candidate.loaded, LoadCtrModel(folder));
    const auto& description = candidate.loaded.description;
    const bool has_texts = description.text_dim() > 0;
    if (has_texts && evaluation.snapshot == nullptr) {
      LARR_ASSIGN_OR_RETURN(const auto path, evaluation.context.Input("embed"));
      LARR_ASSIGN_OR_RETURN(evaluation.snapshot, Snapshot::Open(path));
    }
    LARR_ASSIGN_OR_RETURN(
        candidate.batcher,
        CtrBatcher::Create(evaluation.dataset, description,
                           has_texts ? evaluation.snapshot.get() : nullptr));
    evaluation.models.push_back(std::move(candidate));
  }
  if (evaluation.models.empty())
    return absl::InvalidArgumentError(
        "spec.align is empty: there is no model to evaluate");
  return absl::OkStatus();
}

// A batch of rows. What is known of the entities of side `missing` is left out
// as scoring leaves out an entity that it does not know: a cross that reads its
// row has its default, too.
absl::StatusOr<CtrBatch> MakeBatch(
    const Candidate& candidate, std::span<const Impression> rows,
    config::v1::Side missing = config::v1::SIDE_UNSPECIFIED) {
  Impression told;
  for (const Impression& row : rows) {
    told = row;
    if (missing == config::v1::USER) told.user_index = -1;
    if (missing == config::v1::POI) told.poi_index = -1;
    candidate.batcher->Add(told);
  }
  return candidate.batcher->Take();
}

// What a model says of the rows.
absl::Status ScoreBatch(const Candidate& candidate,
                        std::span<const Impression> rows, bool with_missing,
                        BatchScores& scores) {
  CtrModel& model = *candidate.loaded.model;
  LARR_ASSIGN_OR_RETURN(CtrBatch batch, MakeBatch(candidate, rows));
  scores[candidate.KeyOf(kAll)] = model.Predict(batch);
  if (!with_missing) return absl::OkStatus();
  for (const auto& [told, missing] :
       {std::pair{kNoUser, config::v1::USER}, {kNoPoi, config::v1::POI}}) {
    LARR_ASSIGN_OR_RETURN(const CtrBatch less,
                          MakeBatch(candidate, rows, missing));
    scores[candidate.KeyOf(told)] = model.Predict(less);
  }
  if (model.layout().slot_count() == 0) return absl::OkStatus();
  batch.scene.index_Br = torch::full_like(batch.scene.index_Br, -1);
  scores[candidate.KeyOf(kNoTexts)] = model.Predict(batch);
  return absl::OkStatus();
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
    LARR_RETURN_IF_ERROR(
        ScoreBatch(model, rows, part == Part::kValidation, scores));
  LARR_RETURN_IF_ERROR(evaluation.kept.Keep(key, scores));
  Report(evaluation);
  return scores;
}

void AddRow(const Evaluation& evaluation, const Impression& row,
            PartScores& scores) {
  scores.labels.Add(row);
  scores.slices.push_back(evaluation.slices.Of(row.poi_id));
  const auto& table = evaluation.dataset.spec.impressions();
  if (!table.true_click_probability_column().empty())
    scores.truth.ctr.push_back(row.true_click_probability);
  if (!table.true_ctcvr_probability_column().empty() && evaluation.has_orders())
    scores.truth.ctcvr.push_back(row.true_ctcvr_probability);
}

// Adds a batch's scores to those of its part. `file` is null for validation.
absl::Status AddScores(const BatchScores& scores,
                       std::span<const Impression> rows,
                       std::vector<Candidate>& models, ScoresFile* file) {
  std::vector<torch::Tensor> all;
  for (Candidate& model : models) {
    for (const char* told : {kAll, kNoUser, kNoPoi, kNoTexts}) {
      const auto found = scores.find(model.KeyOf(told));
      if (found != scores.end()) model.scores[told].Add(found->second);
    }
    all.push_back(scores.at(model.KeyOf(kAll)));
  }
  return file == nullptr ? absl::OkStatus() : file->Append(rows, all);
}

// Scores a part by every model. `file` is null for validation.
absl::StatusOr<PartScores> ScorePart(Evaluation& evaluation, Part part,
                                     ScoresFile* file) {
  for (Candidate& model : evaluation.models) model.scores.clear();
  LARR_ASSIGN_OR_RETURN(
      auto stream, ImpressionStream::Open(evaluation.dataset, {.part = part}));
  PartScores scores;
  std::vector<Impression> rows(kBatchRows);
  size_t count = 0;
  for (bool more = true; more;) {
    LARR_ASSIGN_OR_RETURN(more, stream.Next(rows[count]));
    if (more) AddRow(evaluation, rows[count++], scores);
    if (count == 0 || (more && count < rows.size())) continue;
    const auto batch = std::span(rows).first(count);
    LARR_ASSIGN_OR_RETURN(const BatchScores said,
                          ScoreRows(evaluation, part, batch));
    LARR_RETURN_IF_ERROR(AddScores(said, batch, evaluation.models, file));
    count = 0;
  }
  return scores;
}

ordered_json PartJson(const Evaluation& evaluation, const PartScores& part,
                      const ModelScores& scores) {
  ordered_json out = MetricsJson(part.labels, scores, evaluation.samples(),
                                 evaluation.context.config.spec().seed());
  for (const PoiSlice slice : kPoiSlices) {
    std::vector<bool> chosen(part.slices.size());
    for (size_t i = 0; i < chosen.size(); ++i)
      chosen[i] = part.slices[i] == slice;
    out["slices"][std::string(PoiSliceName(slice))] =
        SliceJson(part.labels, scores, chosen);
  }
  return out;
}

ordered_json MissingJson(const Candidate& model, const PartScores& part) {
  const std::vector<bool> all(part.labels.size(), true);
  ordered_json out;
  for (const char* what : {kNoUser, kNoPoi, kNoTexts}) {
    const auto scores = model.scores.find(what);
    if (scores != model.scores.end())
      out[what] = SliceJson(part.labels, scores->second, all);
  }
  return out;
}

absl::StatusOr<ScoresFile> CreateScoresFile(
    const std::filesystem::path& path, const std::vector<Candidate>& models) {
  std::vector<ScoresFile::Model> columns;
  for (const Candidate& model : models)
    columns.push_back({model.name, model.loaded.description.has_order_task()});
  return ScoresFile::Create(path, columns);
}

absl::StatusOr<ordered_json> Score(Evaluation& evaluation,
                                   const std::filesystem::path& folder) {
  ordered_json json = {{"dataset", evaluation.dataset.spec.name()},
                       {"bootstrap_samples", evaluation.samples()}};
  for (const PoiSlice slice : {PoiSlice::kRare, PoiSlice::kFrequent})
    json["pois"][std::string(PoiSliceName(slice))] =
        evaluation.slices.CountOf(slice);
  LARR_ASSIGN_OR_RETURN(auto file, CreateScoresFile(folder / "scores.parquet",
                                                    evaluation.models));
  for (const auto& [part, sink] :
       {std::pair{Part::kValidation, static_cast<ScoresFile*>(nullptr)},
        {Part::kTest, &file}}) {
    const std::string name(PartName(part));
    LARR_ASSIGN_OR_RETURN(const PartScores scores,
                          ScorePart(evaluation, part, sink));
    for (Candidate& model : evaluation.models) {
      ordered_json& out = json["models"][model.name];
      out[name] = PartJson(evaluation, scores, model.scores[kAll]);
      if (part == Part::kValidation)
        out["missing"] = MissingJson(model, scores);
    }
    if (!scores.truth.ctr.empty())
      json["bayes"][name] = PartJson(evaluation, scores, scores.truth);
    spdlog::info("scored part={} rows={}", name, scores.labels.size());
  }
  LARR_RETURN_IF_ERROR(file.Finish());
  return json;
}

absl::StatusOr<int64_t> CountRows(const Dataset& dataset) {
  int64_t rows = 0;
  for (const Part part : {Part::kValidation, Part::kTest}) {
    LARR_ASSIGN_OR_RETURN(const auto stream,
                          ImpressionStream::Open(dataset, {.part = part}));
    rows += std::max<int64_t>(0, stream.total_rows());
  }
  return rows;
}

absl::Status Run(StageContext& context) {
  at::set_num_threads(context.threads());
  LARR_ASSIGN_OR_RETURN(Dataset dataset,
                        OpenDataset(context.config.spec().dataset()));
  LARR_ASSIGN_OR_RETURN(auto parents, Parents(context));
  KeptScores kept(std::filesystem::path(context.config.work()) / "scores",
                  Origin(context, dataset, parents));
  Evaluation evaluation{context, std::move(dataset), std::move(parents),
                        std::move(kept)};
  LARR_RETURN_IF_ERROR(LoadModels(evaluation));
  LARR_ASSIGN_OR_RETURN(evaluation.slices,
                        PoiSlices::Learn(evaluation.dataset));
  LARR_ASSIGN_OR_RETURN(evaluation.rows_total, CountRows(evaluation.dataset));
  LARR_ASSIGN_OR_RETURN(auto writer,
                        ArtifactWriter::Create(context.config.output()));
  LARR_ASSIGN_OR_RETURN(const ordered_json json,
                        Score(evaluation, writer.path()));
  LARR_RETURN_IF_ERROR(
      WriteFileAtomically(writer.path() / "metrics.json", json.dump(2) + "\n"));
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
