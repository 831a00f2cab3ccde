// SPDX-License-Identifier: Apache-2.0
#include "tools/demo/report.h"

#include <fmt/format.h>

#include <map>
#include <sstream>

#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "common/config/stage_files.h"
#include "tools/demo/embedded.h"
#include "tools/demo/training.h"
#include "tools/larrctl/output.h"
#include "tools/larrctl/progress_view.h"
#include "tools/larrctl/training_run.h"
#include "tools/report/page.h"

namespace larr::demo {
namespace {

using coordinator::v1::TrainingRun;
using ctl::ArtifactOf;

constexpr const char* kMetrics[] = {"ctr_auc", "ctcvr_auc", "ctr_gauc",
                                    "ctcvr_gauc"};

// The metrics of the test rows that the report shows.
Json TestMetrics(const Json& metrics) {
  Json json;
  if (!metrics.contains("test")) return json;
  const Json& test = metrics["test"];
  for (const char* key : kMetrics) {
    json[key] = test.value(key, Json());
    const std::string interval = std::string(key) + "_interval";
    if (test.contains(interval)) json[interval] = test[interval];
  }
  for (const char* key : {"logloss", "calibration", "slices"}) {
    if (test.contains(key)) json[key] = test[key];
  }
  if (metrics.contains("missing")) json["missing"] = metrics["missing"];
  return json;
}

// [[step, loss], ...] of a stage; a step that was done again counts once.
Json LossCurve(const std::filesystem::path& progress) {
  const auto text = ReadFile(progress);
  Json curve = Json::array();
  if (!text.ok()) return curve;
  std::map<int64_t, double> losses;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (json.is_object() && json.contains("loss") && json["loss"].is_number()) {
      losses[json.value("step", int64_t{0})] = json["loss"].get<double>();
    }
  }
  for (const auto& [step, loss] : losses) curve.push_back({step, loss});
  return curve;
}

Json Stage(double seconds, double throughput, const std::string& unit) {
  return {{"seconds", seconds}, {"throughput", throughput}, {"unit", unit}};
}

// Times of every part: the stages of the run, and the demo's own parts.
Json Stages(const Findings& findings, const TrainingRun& run) {
  Json stages;
  double rows = 0;
  for (const auto& part : findings.city["parts"]) {
    rows += part["rows"].get<double>();
  }
  const double city = findings.city["seconds"].get<double>();
  stages["city"] = Stage(city, rows / city, "impressions/s");
  for (const auto& stage : run.stages()) {
    const auto& progress = stage.progress();
    stages[stage.id()] = Stage(ctl::SecondsOf(stage), progress.throughput(),
                               progress.throughput_unit());
  }
  stages["served"] =
      Stage(findings.served["seconds"].get<double>(),
            findings.served["scores_per_second"].get<double>(), "scores/s");
  const double refresh = findings.refresh["seconds"].get<double>();
  stages["refresh"] =
      Stage(refresh, findings.refresh["texts_encoded"].get<double>() / refresh,
            "texts/s");
  const double recall = findings.recall["seconds"].get<double>();
  stages["recall"] = Stage(
      recall, static_cast<double>(findings.recall["regions"].size()) / recall,
      "queries/s");
  return stages;
}

std::string Cell(const Json& json, const char* key) {
  const auto value = json.find(key);
  return value == json.end() || !value->is_number()
             ? "-"
             : fmt::format("{:.4f}", value->get<double>());
}

std::vector<std::string> MetricsRow(const std::string& name, const Json& json) {
  std::vector<std::string> row = {name};
  for (const char* key : kMetrics) row.push_back(Cell(json, key));
  const Json slices = json.value("slices", Json::object());
  for (const char* slice : {"cold", "frequent"}) {
    row.push_back(Cell(slices.value(slice, Json::object()), "ctr_auc"));
  }
  return row;
}

// The other three points of the demo, and its time.
std::string Summary(const Json& report) {
  const auto number = [&report](const char* part, const char* key) {
    return report[part].value(key, 0.0);
  };
  return fmt::format(
      "served as evaluated  {:.0f} scores over gRPC, at most {:.1g} apart\n"
      "catalogue change     {:.0f} of {:.0f} texts encoded; {:.0f} of {:.0f} "
      "requests failed meanwhile\n"
      "top 10 of a region   {:.0f} % lie in it, {:.0f} % would by chance\n"
      "in all               {}\n",
      number("served", "scores"), number("served", "max_abs_diff"),
      number("refresh", "texts_encoded"), number("refresh", "texts_total"),
      number("refresh", "switch_requests_failed"),
      number("refresh", "switch_requests"),
      100 * number("recall", "precision_at_10"),
      100 * number("recall", "precision_chance"),
      ctl::DurationText(report["seconds_total"].get<double>()));
}

}  // namespace

absl::StatusOr<Json> MakeReport(const Demo& demo, const Findings& findings) {
  LARR_ASSIGN_OR_RETURN(const TrainingRun run,
                        TrainingRunOf(findings.training));
  LARR_ASSIGN_OR_RETURN(const std::string text,
                        ReadFile(ArtifactOf(run, "evaluate") / kMetricsFile));
  const Json metrics = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!metrics.is_object() || !metrics.contains("models")) {
    return absl::DataLossError("metrics.json of the evaluation is not JSON");
  }
  Json report;
  report["size"] = demo.size();
  for (const auto& [name, model] : metrics["models"].items()) {
    report["models"][name] = TestMetrics(model);
  }
  report["bayes"] = metrics.contains("bayes") ? TestMetrics(metrics["bayes"])
                                              : Json::object();
  report["served"] = findings.served;
  report["refresh"] = findings.refresh;
  report["recall"] = findings.recall;
  report["stages"] = Stages(findings, run);
  double total = 0;
  for (const Json* part : {&findings.city, &findings.training, &findings.served,
                           &findings.refresh, &findings.recall}) {
    total += (*part)["seconds"].get<double>();
  }
  report["seconds_total"] = total;
  for (const auto& stage : run.stages()) {
    Json curve = LossCurve(
        std::filesystem::path(stage.artifact_path() + ".work") / kProgressFile);
    if (!curve.empty()) report["losses"][stage.id()] = std::move(curve);
  }
  report["city"] = findings.city;
  report["model_version"] = run.model_version();
  report["gate"] = Json::array();
  for (const auto& reason : run.publish_reasons()) {
    report["gate"].push_back(reason);
  }
  return report;
}

absl::Status WriteReport(const Demo& demo, const Json& report) {
  LARR_RETURN_IF_ERROR(
      WriteFileAtomically(demo.path("report.json"), report.dump(2) + "\n"));
  return WriteFileAtomically(demo.path("report.html"),
                             report::RenderPage(report.dump(), kReportScript));
}

std::string ReportText(const Json& report) {
  std::vector<std::vector<std::string>> models, stages;
  for (const auto& [name, model] : report["models"].items()) {
    models.push_back(MetricsRow(name, model));
  }
  if (!report["bayes"].empty()) {
    models.push_back(MetricsRow("Bayes bound", report["bayes"]));
  }
  for (const auto& [name, stage] : report["stages"].items()) {
    const double throughput = stage["throughput"].get<double>();
    stages.push_back(
        {name, fmt::format("{:.1f}", stage["seconds"].get<double>()),
         throughput > 0
             ? fmt::format("{:.{}f} {}", throughput, throughput < 100 ? 1 : 0,
                           stage["unit"].get<std::string>())
             : "-"});
  }
  return fmt::format(
      "{}\n{}\n{}",
      ctl::Table({"test days", "CTR AUC", "CTCVR AUC", "CTR GAUC", "CTCVR GAUC",
                  "cold POIs", "frequent POIs"},
                 models),
      ctl::Table({"part", "seconds", "throughput"}, stages), Summary(report));
}

}  // namespace larr::demo
