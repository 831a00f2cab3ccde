// SPDX-License-Identifier: Apache-2.0
#include "services/stage/evaluate.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/artifact_folder.h"
#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "common/config/text_proto.h"
#include "common/ctr/model_io.h"
#include "common/dataset/impression_stream.h"
#include "common/dataset/parquet_writer.h"
#include "common/store/snapshot.h"
#include "common/tensors/torch_status.h"
#include "services/stage/ctr_batcher.h"
#include "services/stage/ctr_metrics_json.h"

namespace larr::stage {
namespace {

using Clock = std::chrono::steady_clock;
using nlohmann::ordered_json;

constexpr int64_t kBatchRows = 4096;
constexpr char kRole[] = "align/";

// How often a POI was shown in training decides its slice.
enum class Slice { kCold, kRare, kFrequent };
constexpr const char* kSliceNames[] = {"cold", "rare", "frequent"};

using SliceByPoi = std::map<std::string, Slice, std::less<>>;

// A model and what it says about the part that is being scored.
struct Candidate {
  std::string name;
  LoadedCtrModel loaded;
  std::unique_ptr<CtrBatcher> batcher;
  ModelScores scores;
  ModelScores without_user, without_poi, without_texts;  // Validation alone.
};

struct Evaluation {
  StageContext& context;
  Dataset dataset;
  std::unique_ptr<const Snapshot> snapshot;
  std::vector<Candidate> models;
  SliceByPoi slices;
  int64_t rows_done = 0;
  int64_t rows_total = 0;
  Clock::time_point start = Clock::now();

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
  std::vector<Slice> slices;
};

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

absl::StatusOr<SliceByPoi> FindSlices(const Dataset& dataset) {
  LARR_ASSIGN_OR_RETURN(
      auto stream, ImpressionStream::Open(dataset, {.part = Part::kTrain}));
  std::map<std::string, int64_t> counts;
  Impression row;
  while (true) {
    LARR_ASSIGN_OR_RETURN(const bool more, stream.Next(row));
    if (!more) break;
    ++counts[row.poi_id];
  }
  std::vector<std::pair<int64_t, std::string>> ranked;
  ranked.reserve(counts.size());
  for (const auto& [poi, count] : counts) ranked.emplace_back(count, poi);
  std::sort(ranked.begin(), ranked.end(), std::greater<>());
  SliceByPoi slices;
  int64_t above = 0;
  for (const auto& [count, poi] : ranked) {
    slices[poi] =
        above * 2 < stream.position() ? Slice::kFrequent : Slice::kRare;
    above += count;
  }
  return slices;
}

// The batch as if nothing were known about the entities of one side.
CtrBatch Without(CtrBatch batch, const CtrLayout& layout, size_t block_index,
                 config::v1::Side side) {
  const CtrBlock& block = layout.blocks[block_index];
  batch.ids = batch.ids.clone();
  batch.ids.narrow(1, block.first_id, block.id_count).zero_();
  batch.dense = batch.dense.clone();
  batch.dense.narrow(1, block.first_dense, block.dense_count).zero_();
  if (layout.slot_count() == 0) return batch;
  batch.scene.index_Br = batch.scene.index_Br.clone();
  for (int64_t slot = 0; slot < layout.slot_count(); ++slot)
    if (layout.slots[slot] == side)
      batch.scene.index_Br.select(1, slot).fill_(-1);
  return batch;
}

absl::Status ScoreBatch(Candidate& candidate, bool with_missing) {
  LARR_ASSIGN_OR_RETURN(CtrBatch batch, candidate.batcher->Take());
  CtrModel& model = *candidate.loaded.model;
  const CtrLayout& layout = model.layout();
  candidate.scores.Add(model.Predict(batch));
  if (!with_missing) return absl::OkStatus();
  candidate.without_user.Add(
      model.Predict(Without(batch, layout, 0, config::v1::USER)));
  candidate.without_poi.Add(
      model.Predict(Without(batch, layout, 2, config::v1::POI)));
  if (layout.slot_count() == 0) return absl::OkStatus();
  batch.scene.index_Br = torch::full_like(batch.scene.index_Br, -1);
  candidate.without_texts.Add(model.Predict(batch));
  return absl::OkStatus();
}

// scores.parquet, written while the test rows stream by.
class ScoresFile {
 public:
  static absl::StatusOr<ScoresFile> Create(const std::filesystem::path& path,
                                           const Evaluation& evaluation) {
    std::vector<ParquetWriter::Column> columns = {
        {"date", ColumnType::kString},     {"request_id", ColumnType::kString},
        {"user_id", ColumnType::kString},  {"poi_id", ColumnType::kString},
        {"click", ColumnType::kInteger},   {"order", ColumnType::kInteger},
        {"position", ColumnType::kInteger}};
    for (const Candidate& model : evaluation.models) {
      columns.push_back({model.name + "_ctr", ColumnType::kNumber});
      if (model.loaded.description.has_order_task())
        columns.push_back({model.name + "_ctcvr", ColumnType::kNumber});
    }
    LARR_ASSIGN_OR_RETURN(auto writer, ParquetWriter::Create(path, columns));
    return ScoresFile(std::move(writer));
  }

  // Remembers a row until its scores are there.
  void Add(const Impression& row) {
    if (row.date != date_) positions_.clear();
    date_ = row.date;
    waiting_.push_back({row.date, row.request_id, row.user_id, row.poi_id,
                        static_cast<int64_t>(row.click),
                        static_cast<int64_t>(row.order),
                        positions_[row.request_id]++});
  }

  // Writes the remembered rows; their scores are the models' last ones.
  absl::Status Flush(const std::vector<Candidate>& models) {
    for (size_t i = 0; i < waiting_.size(); ++i) {
      auto& row = waiting_[i];
      for (const Candidate& model : models) {
        const size_t n = model.scores.ctr.size() - waiting_.size() + i;
        row.emplace_back(model.scores.ctr[n]);
        if (!model.scores.ctcvr.empty())
          row.emplace_back(model.scores.ctcvr[n]);
      }
      LARR_RETURN_IF_ERROR(writer_.Append(row));
    }
    waiting_.clear();
    return absl::OkStatus();
  }

  absl::Status Finish() { return writer_.Finish(); }

 private:
  explicit ScoresFile(ParquetWriter writer) : writer_(std::move(writer)) {}

  ParquetWriter writer_;
  std::vector<std::vector<ParquetWriter::Cell>> waiting_;
  std::string date_;
  std::unordered_map<std::string, int64_t> positions_;  // By request of a day.
};

void AddRow(const Evaluation& evaluation, const Impression& row,
            PartScores& scores) {
  scores.labels.Add(row);
  const auto slice = evaluation.slices.find(row.poi_id);
  scores.slices.push_back(slice == evaluation.slices.end() ? Slice::kCold
                                                           : slice->second);
  const auto& table = evaluation.dataset.spec.impressions();
  if (!table.true_click_probability_column().empty())
    scores.truth.ctr.push_back(row.true_click_probability);
  if (!table.true_ctcvr_probability_column().empty() && evaluation.has_orders())
    scores.truth.ctcvr.push_back(row.true_ctcvr_probability);
}

// Scores a part by every model. `file` is null for validation.
absl::StatusOr<PartScores> ScorePart(Evaluation& evaluation, Part part,
                                     ScoresFile* file) {
  for (Candidate& model : evaluation.models) model.scores = {};
  LARR_ASSIGN_OR_RETURN(
      auto stream, ImpressionStream::Open(evaluation.dataset, {.part = part}));
  PartScores scores;
  Impression row;
  for (bool more = true; more;) {
    LARR_ASSIGN_OR_RETURN(more, stream.Next(row));
    if (more) {
      for (Candidate& model : evaluation.models) model.batcher->Add(row);
      if (file != nullptr) file->Add(row);
      AddRow(evaluation, row, scores);
    }
    const int64_t rows = evaluation.models[0].batcher->rows();
    if (rows == 0 || (more && rows < kBatchRows)) continue;
    for (Candidate& model : evaluation.models)
      LARR_RETURN_IF_ERROR(ScoreBatch(model, part == Part::kValidation));
    if (file != nullptr) LARR_RETURN_IF_ERROR(file->Flush(evaluation.models));
    evaluation.rows_done += rows;
    const std::chrono::duration<double> seconds =
        Clock::now() - evaluation.start;
    evaluation.context.progress.Report(
        evaluation.rows_done,
        std::max(evaluation.rows_done, evaluation.rows_total),
        std::numeric_limits<double>::quiet_NaN(),
        static_cast<double>(evaluation.rows_done) / seconds.count(), "rows/s");
  }
  return scores;
}

ordered_json PartJson(const Evaluation& evaluation, const PartScores& part,
                      const ModelScores& scores) {
  ordered_json out = MetricsJson(part.labels, scores, evaluation.samples(),
                                 evaluation.context.config.spec().seed());
  for (const Slice slice : {Slice::kCold, Slice::kRare, Slice::kFrequent}) {
    std::vector<bool> chosen(part.slices.size());
    for (size_t i = 0; i < chosen.size(); ++i)
      chosen[i] = part.slices[i] == slice;
    out["slices"][kSliceNames[static_cast<int>(slice)]] =
        SliceJson(part.labels, scores, chosen);
  }
  return out;
}

ordered_json MissingJson(const Candidate& model, const PartScores& part) {
  const std::vector<bool> all(part.labels.size(), true);
  ordered_json out;
  out["user"] = SliceJson(part.labels, model.without_user, all);
  out["poi"] = SliceJson(part.labels, model.without_poi, all);
  if (!model.without_texts.ctr.empty())
    out["texts"] = SliceJson(part.labels, model.without_texts, all);
  return out;
}

absl::StatusOr<ordered_json> Score(Evaluation& evaluation,
                                   const std::filesystem::path& folder) {
  ordered_json json = {{"dataset", evaluation.dataset.spec.name()},
                       {"bootstrap_samples", evaluation.samples()}};
  std::array<int64_t, 3> pois = {};
  for (const auto& [poi, slice] : evaluation.slices)
    ++pois[static_cast<int>(slice)];
  json["pois"] = {{"rare", pois[1]}, {"frequent", pois[2]}};
  LARR_ASSIGN_OR_RETURN(
      auto file, ScoresFile::Create(folder / "scores.parquet", evaluation));
  for (const auto& [part, name, sink] :
       {std::tuple{Part::kValidation, "validation",
                   static_cast<ScoresFile*>(nullptr)},
        {Part::kTest, "test", &file}}) {
    LARR_ASSIGN_OR_RETURN(const PartScores scores,
                          ScorePart(evaluation, part, sink));
    for (const Candidate& model : evaluation.models) {
      ordered_json& out = json["models"][model.name];
      out[name] = PartJson(evaluation, scores, model.scores);
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
  Evaluation evaluation{context, std::move(dataset)};
  LARR_RETURN_IF_ERROR(LoadModels(evaluation));
  LARR_ASSIGN_OR_RETURN(evaluation.slices, FindSlices(evaluation.dataset));
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
  for (const auto& [role, path] : context.config.inputs()) {
    if (role != "embed" && role.rfind(kRole, 0) != 0) continue;
    LARR_ASSIGN_OR_RETURN(const auto parent, ReadArtifact(path));
    (*manifest.mutable_parents())[role] = parent.digest();
  }
  return writer.Finish(std::move(manifest)).status();
}

}  // namespace

absl::Status RunEvaluate(StageContext& context) {
  return GuardTorch("evaluate", [&] { return Run(context); });
}

}  // namespace larr::stage
