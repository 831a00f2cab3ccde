// SPDX-License-Identifier: Apache-2.0
#include "tools/demo/training.h"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <thread>

#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "examples/city/generator.h"
#include "tools/demo/child_process.h"
#include "tools/demo/part_progress.h"
#include "tools/demo/training_runs.h"

namespace larr::demo {

using coordinator::v1::TrainingRun;

absl::StatusOr<Json> MakeCity(const Demo& demo) {
  city::CityOptions options = city::CitySizes().at(demo.size());
  options.seed = demo.training().seed();
  options.threads =
      std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  PartProgress progress("impressions", options.impressions);
  int64_t made = 0;
  LARR_RETURN_IF_ERROR(city::GenerateCity(
      options, demo.path("city"), [&](const std::string&, int64_t rows) {
        made = rows;
        progress.Update(rows);
        return CheckInterrupt();
      }));
  if (made > 0) progress.Finish(made);
  fmt::print("validating\n");
  const auto validation = demo.path("city-validation.txt");
  LARR_RETURN_IF_ERROR(RunProgram(
      {.words = {demo.program("larrctl").string(), "dataset", "validate",
                 (demo.path("city") / "dataset.textproto").string()},
       .log = demo.log("validate"),
       .output = validation}));
  LARR_ASSIGN_OR_RETURN(const std::string text,
                        ReadFile(demo.path("city") / "city.json"));
  Json json = Json::parse(text);
  int64_t rows = 0;
  for (const auto& part : json["parts"]) rows += part["rows"].get<int64_t>();
  fmt::print("{} impressions of {} users and {} POIs; validated, see {}\n",
             rows, json["options"]["users"].get<int>(),
             json["options"]["pois"].get<int>(), ShortPath(validation));
  return json;
}

absl::StatusOr<Json> Train(const Demo& demo) {
  LARR_ASSIGN_OR_RETURN(
      TrainingRuns runs,
      TrainingRuns::Start(
          {.programs = demo.program(""),
           .state = demo.path("coordinator"),
           .artifacts = demo.path("artifacts"),
           .settings = demo.path("config") / "coordinator.textproto",
           .log = demo.log("coordinator")}));
  LARR_ASSIGN_OR_RETURN(const TrainingRun run,
                        runs.Finish("demo", demo.training()));
  if (run.model_version().empty()) {
    for (const std::string& reason : run.publish_reasons()) {
      fmt::print("gate: {}\n", reason);
    }
    fmt::print("the gate refused: serving the model by its folder\n");
  } else {
    fmt::print("published {}: all {} checks of the gate passed\n",
               run.model_version(), run.publish_reasons_size());
  }
  std::string text;
  const auto status = google::protobuf::util::MessageToJsonString(run, &text);
  if (!status.ok()) return absl::InternalError(status.ToString());
  Json json;
  json["run"] = Json::parse(text);
  return json;
}

absl::StatusOr<TrainingRun> TrainingRunOf(const Json& json) {
  TrainingRun run;
  const auto status =
      google::protobuf::util::JsonStringToMessage(json["run"].dump(), &run);
  if (!status.ok()) return absl::DataLossError(status.ToString());
  return run;
}

std::string ServedModel(const Demo& demo) {
  return demo.training().align(demo.training().align_size() - 1).name();
}

}  // namespace larr::demo
