// SPDX-License-Identifier: Apache-2.0
#include "tools/experiment/shard_result.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <cmath>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>

#include "common/base/artifact_manifest.h"
#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "common/config/stage_files.h"

namespace larr::experiment {
namespace {

namespace fs = std::filesystem;
using coordinator::v1::StageRun;
using coordinator::v1::TrainingRun;

constexpr size_t kMostPoints = 200;

double Rounded(double value) {
  return std::isfinite(value) ? std::stod(fmt::format("{:.6g}", value)) : value;
}

// Every number that is no integer, to six digits.
void Round(Json& json) {
  if (json.is_number_float()) json = Rounded(json.get<double>());
  if (json.is_structured())
    for (Json& item : json) Round(item);
}

absl::StatusOr<Json> ReadJson(const fs::path& path) {
  LARR_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object())
    return absl::DataLossError(path.string() + " is not a JSON object");
  return json;
}

// Null if there is none: not every stage, nor every version, writes it.
absl::StatusOr<Json> ReadJsonIfThere(const fs::path& path) {
  auto json = ReadJson(path);
  if (absl::IsNotFound(json.status())) return Json();
  return json;
}

const StageRun* FindStage(const TrainingRun& run, const std::string& id) {
  for (const StageRun& stage : run.stages())
    if (stage.id() == id && !stage.artifact_path().empty()) return &stage;
  return nullptr;
}

double SecondsOf(const StageRun& stage) {
  if (stage.progress().elapsed_seconds() > 0)
    return stage.progress().elapsed_seconds();
  return static_cast<double>(stage.end_time().seconds() -
                             stage.start_time().seconds());
}

// The version of the program that made a stage's artifact. Empty where that is
// not there: it may have been removed since others shared it.
absl::StatusOr<std::string> CodeOf(const StageRun& stage) {
  if (stage.artifact_path().empty()) return std::string();
  const fs::path path = fs::path(stage.artifact_path()) / kManifestName;
  const auto text = ReadFile(path);
  if (absl::IsNotFound(text.status())) return std::string();
  LARR_RETURN_IF_ERROR(text.status());
  LARR_ASSIGN_OR_RETURN(const auto manifest,
                        ParseManifest(*text, path.string()));
  return manifest.code_version();
}

// Adds "stages", "seconds" and "code_version".
absl::Status AddStages(const TrainingRun& run, Json& result) {
  double own = 0;
  Json& stages = result["stages"] = Json::array();
  for (const StageRun& stage : run.stages()) {
    Json item = {{"id", stage.id()}, {"seconds", SecondsOf(stage)}};
    LARR_ASSIGN_OR_RETURN(const std::string code, CodeOf(stage));
    if (!code.empty()) item["code_version"] = result["code_version"] = code;
    if (stage.progress().throughput() > 0) {
      item["throughput"] = stage.progress().throughput();
      item["unit"] = stage.progress().throughput_unit();
    }
    if (stage.shared_from().empty()) {
      own += SecondsOf(stage);
    } else {
      item["shared_from"] = stage.shared_from();
    }
    stages.push_back(std::move(item));
  }
  result["seconds"] = own;
  return absl::OkStatus();
}

Json Machine() {
  std::ifstream in("/proc/cpuinfo");
  std::string cpu = "unknown";
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("model name")) {
      cpu = line.substr(line.find(':') + 2);
      break;
    }
  }
  return {{"cpu", cpu}, {"cores", std::thread::hardware_concurrency()}};
}

// [[step, loss], ..] of a stage's training.json.
Json CurveOf(const Json& training) {
  Json points = Json::array();
  for (const char* key : {"curve", "loss"}) {
    if (!training.contains(key) || !training[key].is_array()) continue;
    for (const Json& point : training[key])
      if (point.contains("step") && point.contains("loss"))
        points.push_back({point["step"], point["loss"]});
    break;
  }
  return points;
}

// The loss curve of a stage and what else of its training.json is wanted.
absl::Status AddTraining(const TrainingRun& run, const std::string& id,
                         const char* wanted, Json& result) {
  const StageRun* stage = FindStage(run, id);
  if (stage == nullptr) return absl::OkStatus();
  LARR_ASSIGN_OR_RETURN(
      const Json training,
      ReadJsonIfThere(fs::path(stage->artifact_path()) / kTrainingFile));
  const std::string name = id.substr(0, id.find('/'));
  const Json curve = CurveOf(training);
  if (!curve.empty()) result["curves"][name] = ThinCurve(curve, kMostPoints);
  if (training.is_object() && training.contains(wanted))
    result[name] = training[wanted];
  return absl::OkStatus();
}

// Of an evaluation's files, what is about this model.
absl::Status AddMetrics(const fs::path& folder, const std::string& model,
                        Json& result) {
  LARR_ASSIGN_OR_RETURN(const Json metrics, ReadJson(folder / kMetricsFile));
  if (!metrics.contains("models") || !metrics["models"].contains(model))
    return absl::DataLossError(
        fmt::format("{}: metrics.json has nothing about the model `{}`",
                    folder.string(), model));
  result["metrics"] = metrics["models"][model];
  if (metrics.contains("bayes")) result["bayes"] = metrics["bayes"];
  LARR_ASSIGN_OR_RETURN(const Json all,
                        ReadJsonIfThere(folder / kReplicatesFile));
  if (!all.is_object() || !all.contains("models") ||
      !all["models"].contains(model))
    return absl::OkStatus();
  result["replicates"] = {{"draws", all.value("draws", 0)}};
  result["replicates"].update(all["models"][model]);
  return absl::OkStatus();
}

}  // namespace

Json ThinCurve(const Json& points, size_t most) {
  Json curve = Json::array();
  const size_t n = points.size(), groups = std::min(n, most);
  for (size_t g = 0; g < groups; ++g) {
    const size_t begin = g * n / groups, end = (g + 1) * n / groups;
    double sum = 0;
    for (size_t i = begin; i < end; ++i) sum += points[i][1].get<double>();
    curve.push_back(
        {points[end - 1][0], Rounded(sum / static_cast<double>(end - begin))});
  }
  return curve;
}

absl::StatusOr<Json> MakeShardResult(const Shard& shard,
                                     const ShardDigest& digest,
                                     const std::string& size,
                                     const TrainingRun& run) {
  const std::string model = shard.settings.align(0).name();
  const StageRun* evaluate = FindStage(run, "evaluate");
  if (evaluate == nullptr)
    return absl::DataLossError(
        fmt::format("{} has no evaluate artifact", run.name()));
  Json result = {{"format", 1},
                 {"arm", shard.arm},
                 {"seed", shard.seed},
                 {"size", size},
                 {"digest", digest.digest},
                 {"texts", digest.texts},
                 {"dataset", digest.dataset},
                 {"spec", shard.text},
                 {"code_version", ""},
                 {"machine", Machine()},
                 {"date", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}",
                                      fmt::gmtime(std::time(nullptr)))}};
  if (!digest.base_model.empty()) result["base_model"] = digest.base_model;
  LARR_RETURN_IF_ERROR(AddStages(run, result));
  LARR_RETURN_IF_ERROR(AddMetrics(evaluate->artifact_path(), model, result));
  LARR_RETURN_IF_ERROR(AddTraining(run, "pretrain", "held_out", result));
  LARR_RETURN_IF_ERROR(AddTraining(run, "contrast", "held_out_recall", result));
  LARR_RETURN_IF_ERROR(AddTraining(run, "align/" + model, "", result));
  Round(result);
  return result;
}

std::string ResultText(const Json& result) {
  std::string text = "{\n";
  for (auto at = result.begin(); at != result.end(); ++at) {
    text += fmt::format("{}{}: {}", at == result.begin() ? "" : ",\n",
                        Json(at.key()).dump(), at.value().dump());
  }
  return text + "\n}\n";
}

}  // namespace larr::experiment
