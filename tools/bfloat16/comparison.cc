// SPDX-License-Identifier: Apache-2.0
#include "tools/bfloat16/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "common/base/status_macros.h"
#include "common/ctr/metrics.h"
#include "common/ctr/model_io.h"
#include "common/ctr/row_scorer.h"
#include "common/dataset/impression_stream.h"
#include "common/tensors/torch_status.h"
#include "services/stage/ctr_batcher.h"
#include "services/stage/ctr_metrics_json.h"
#include "services/stage/row_batches.h"
#include "tools/bfloat16/batch_requests.h"

namespace larr::bfloat16 {
namespace {

using nlohmann::ordered_json;
using stage::CtrBatcher;
using stage::ModelScores;
using stage::RowLabels;

struct SplitWay {
  std::shared_ptr<const LoadedCtrModel> loaded;
  std::unique_ptr<RowScorer> scorer;
  ModelScores scores;
};

absl::StatusOr<SplitWay> OpenWay(const std::filesystem::path& model,
                                 bool in_bfloat16) {
  LARR_ASSIGN_OR_RETURN(LoadedCtrModel loaded, LoadCtrModel(model));
  loaded.description.set_serve_in_bfloat16(in_bfloat16);
  SplitWay way;
  way.loaded = std::make_shared<const LoadedCtrModel>(std::move(loaded));
  way.scorer = MakeSplitScorer(way.loaded);
  return way;
}

void ScoreRequest(const BatchRequest& request, SplitWay& way) {
  const size_t bytes = way.scorer->poi_state_bytes();
  const auto count = static_cast<size_t>(request.pois.count);
  std::vector<std::byte> states(count * bytes);
  way.scorer->MakePoiStates(request.pois, states.data());
  std::vector<const std::byte*> of_candidates(count);
  for (size_t n = 0; n < count; ++n)
    of_candidates[n] = states.data() + n * bytes;
  ScorerOutput output{std::vector<float>(count), std::vector<float>(count)};
  way.scorer->Score(request.columns, of_candidates, output);
  ModelScores& scores = way.scores;
  scores.ctr.insert(scores.ctr.end(), output.ctr.begin(), output.ctr.end());
  if (way.loaded->description.has_order_task())
    scores.ctcvr.insert(scores.ctcvr.end(), output.ctcvr.begin(),
                        output.ctcvr.end());
}

// The rows, scored three ways.
struct Scores {
  RowLabels labels;
  ModelScores plain;
  SplitWay float32, bfloat16;

  absl::Status Add(const CtrBatch& batch) {
    CtrModel& model = *float32.loaded->model;
    LARR_RETURN_IF_ERROR(plain.Add(model.Predict(batch)));
    for (const BatchRequest& request : RequestsOf(batch, model.layout()))
      for (SplitWay* way : {&float32, &bfloat16}) ScoreRequest(request, *way);
    return absl::OkStatus();
  }
};

WayFigures FiguresOf(const ModelScores& scores, const Scores& all) {
  WayFigures figures;
  figures.ctr_auc = Auc(scores.ctr, all.labels.click);
  figures.ctcvr_auc = scores.ctcvr.empty()
                          ? std::numeric_limits<double>::quiet_NaN()
                          : Auc(scores.ctcvr, all.labels.ctcvr);
  double sum = 0;
  const auto add = [&](const std::vector<double>& these,
                       const std::vector<double>& plain) {
    for (size_t i = 0; i < these.size(); ++i) {
      const double difference = std::abs(these[i] - plain[i]);
      figures.largest_difference =
          std::max(figures.largest_difference, difference);
      sum += difference;
    }
  };
  add(scores.ctr, all.plain.ctr);
  add(scores.ctcvr, all.plain.ctcvr);
  figures.mean_difference =
      sum / static_cast<double>(scores.ctr.size() + scores.ctcvr.size());
  return figures;
}

WayFigures FiguresOf(const SplitWay& way, const Scores& all) {
  WayFigures figures = FiguresOf(way.scores, all);
  figures.poi_state_bytes = way.scorer->poi_state_bytes();
  return figures;
}

// Whether the rows have both clicks and none, and orders if there is a task.
absl::Status CheckClasses(const Comparison& comparison) {
  const WayFigures& plain = comparison.plain;
  const bool no_clicks = std::isnan(plain.ctr_auc);
  if (!no_clicks &&
      (!comparison.has_order_task || !std::isnan(plain.ctcvr_auc)))
    return absl::OkStatus();
  return absl::FailedPreconditionError(fmt::format(
      "{} rows of {} are not enough to judge by: {} them have the same label, "
      "so there is no AUC. Give more rows, or another part",
      comparison.rows, comparison.part,
      no_clicks ? "by clicks all of" : "by orders all of"));
}

ordered_json AucJson(const Comparison& comparison, double WayFigures::*auc) {
  const double plain = comparison.plain.*auc;
  const double changed = comparison.bfloat16.*auc;
  return {{"plain", plain},
          {"float32", comparison.float32.*auc},
          {"bfloat16", changed},
          {"change", changed - plain}};
}

ordered_json DifferenceJson(const WayFigures& way) {
  return {{"largest", way.largest_difference}, {"mean", way.mean_difference}};
}

}  // namespace

absl::StatusOr<Comparison> CompareWays(const std::filesystem::path& model,
                                       const Dataset& dataset,
                                       const Snapshot* snapshot, Part part,
                                       int64_t rows,
                                       const RowsProgress& progress) {
  return GuardTorch("comparing scores", [&]() -> absl::StatusOr<Comparison> {
    Scores scores;
    LARR_ASSIGN_OR_RETURN(scores.float32, OpenWay(model, false));
    LARR_ASSIGN_OR_RETURN(scores.bfloat16, OpenWay(model, true));
    const auto& description = scores.float32.loaded->description;
    LARR_ASSIGN_OR_RETURN(const auto batcher,
                          CtrBatcher::Create(dataset, description, snapshot));
    LARR_ASSIGN_OR_RETURN(
        ImpressionStream stream,
        ImpressionStream::Open(dataset, {.part = part, .max_rows = rows}));
    LARR_RETURN_IF_ERROR(stage::ForBatches(
        stream, *batcher,
        [&](const Impression& row) { scores.labels.Add(row); },
        [&](const CtrBatch& batch) -> absl::Status {
          LARR_RETURN_IF_ERROR(scores.Add(batch));
          progress(stream.position(), stream.total_rows());
          return absl::OkStatus();
        }));
    Comparison comparison{.part = std::string(PartName(part)),
                          .rows = static_cast<int64_t>(scores.labels.size()),
                          .has_order_task = description.has_order_task(),
                          .plain = FiguresOf(scores.plain, scores),
                          .float32 = FiguresOf(scores.float32, scores),
                          .bfloat16 = FiguresOf(scores.bfloat16, scores)};
    LARR_RETURN_IF_ERROR(CheckClasses(comparison));
    return comparison;
  });
}

absl::Status CheckLoss(const Comparison& comparison, double most_loss) {
  for (const auto& [name, auc] : {std::pair{"CTR", &WayFigures::ctr_auc},
                                  {"CTCVR", &WayFigures::ctcvr_auc}}) {
    const double plain = comparison.plain.*auc;
    const double changed = comparison.bfloat16.*auc;
    if (!(plain - changed > most_loss)) continue;
    return absl::FailedPreconditionError(fmt::format(
        "in bfloat16 the {} AUC of {} {} rows falls from {:.6f} to {:.6f}, by "
        "{:.6f}; --most-loss is {}. Nothing was written: serve the model in "
        "float32 as it is, or allow more by --most-loss",
        name, comparison.rows, comparison.part, plain, changed, plain - changed,
        most_loss));
  }
  return absl::OkStatus();
}

std::string ComparisonTable(const Comparison& comparison) {
  std::string table = fmt::format(
      "{} {} rows\n{:10}{:>10}{:>11}{:>11}{:>11}{:>13}{:>12}{:>11}\n",
      comparison.rows, comparison.part, "", "CTR AUC", "change", "CTCVR AUC",
      "change", "largest diff", "mean diff", "POI bytes");
  for (const auto& [name, way] : {std::pair{"plain", &comparison.plain},
                                  {"float32", &comparison.float32},
                                  {"bfloat16", &comparison.bfloat16}}) {
    table += fmt::format("{:10}{:>10.6f}{:>+11.6f}", name, way->ctr_auc,
                         way->ctr_auc - comparison.plain.ctr_auc);
    table += comparison.has_order_task
                 ? fmt::format("{:>11.6f}{:>+11.6f}", way->ctcvr_auc,
                               way->ctcvr_auc - comparison.plain.ctcvr_auc)
                 : fmt::format("{:>11}{:>11}", "-", "-");
    table += fmt::format("{:>13.2e}{:>12.2e}", way->largest_difference,
                         way->mean_difference);
    table += way->poi_state_bytes == 0
                 ? fmt::format("{:>11}\n", "-")
                 : fmt::format("{:>11}\n", way->poi_state_bytes);
  }
  return table;
}

ordered_json ComparisonJson(const Comparison& comparison) {
  ordered_json json = {{"part", comparison.part}, {"rows", comparison.rows}};
  json["ctr_auc"] = AucJson(comparison, &WayFigures::ctr_auc);
  if (comparison.has_order_task)
    json["ctcvr_auc"] = AucJson(comparison, &WayFigures::ctcvr_auc);
  json["difference"] = {{"float32", DifferenceJson(comparison.float32)},
                        {"bfloat16", DifferenceJson(comparison.bfloat16)}};
  json["poi_state_bytes"] = {{"float32", comparison.float32.poi_state_bytes},
                             {"bfloat16", comparison.bfloat16.poi_state_bytes}};
  return json;
}

}  // namespace larr::bfloat16
