// SPDX-License-Identifier: Apache-2.0
#include "tools/demo/training.h"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <thread>

#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "examples/city/generator.h"
#include "larr/config/v1/server.pb.h"
#include "tools/larrctl/part_progress.h"
#include "tools/larrctl/training_run.h"
#include "tools/programs/interrupts.h"
#include "tools/programs/server.h"

namespace larr::demo {

using coordinator::v1::TrainingRun;

absl::StatusOr<Json> MakeCity(const Demo& demo) {
  city::CityOptions options = city::CitySizes().at(demo.size());
  options.seed = demo.training().seed();
  options.threads =
      std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  ctl::PartProgress progress("impressions", options.impressions);
  int64_t made = 0;
  LARR_RETURN_IF_ERROR(city::GenerateCity(
      options, demo.path("city"), [&](const std::string&, int64_t rows) {
        made = rows;
        progress.Update(rows);
        return programs::CheckInterrupt();
      }));
  if (made > 0) progress.Finish(made);
  fmt::print("validating\n");
  const auto validation = demo.path("city-validation.txt");
  LARR_RETURN_IF_ERROR(programs::RunProgram(
      {.words = {programs::ProgramBeside("larrctl").string(), "dataset",
                 "validate",
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
  config::v1::CoordinatorConfig config;
  config.set_state_dir(demo.path("coordinator").string());
  config.set_artifact_root(demo.path("artifacts").string());
  config.set_stage_program(programs::ProgramBeside("larr_stage").string());
  LARR_ASSIGN_OR_RETURN(
      auto coordinator,
      programs::Server::Start("larr_coordinator", config,
                              demo.path("config") / "coordinator.textproto",
                              demo.log("coordinator")));
  const auto finished = ctl::FinishTrainingRun(
      {.coordinator = coordinator.address()}, "demo", demo.training());
  if (!finished.ok()) LARR_RETURN_IF_ERROR(coordinator.Check());
  LARR_ASSIGN_OR_RETURN(const TrainingRun run, finished);
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
