// SPDX-License-Identifier: Apache-2.0
#include "tools/demo/training.h"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "common/config/text_proto.h"
#include "common/rpc/grpc_status.h"
#include "examples/city/generator.h"
#include "larr/config/v1/server.pb.h"
#include "larr/coordinator/v1/coordinator_service.grpc.pb.h"
#include "tools/demo/child_process.h"
#include "tools/demo/part_progress.h"
#include "tools/larrctl/progress_view.h"

namespace larr::demo {
namespace {

using coordinator::v1::CoordinatorService;
using coordinator::v1::TrainingRun;

constexpr char kRunName[] = "trainingRuns/demo";
constexpr auto kPoll = std::chrono::milliseconds(300);

absl::StatusOr<Server> StartCoordinator(const Demo& demo) {
  config::v1::CoordinatorConfig config;
  const auto port_file = demo.path("config") / "coordinator.port";
  config.mutable_server()->set_listen("127.0.0.1:0");
  config.mutable_server()->set_port_file(port_file.string());
  config.set_state_dir(demo.path("coordinator").string());
  config.set_artifact_root(demo.path("artifacts").string());
  config.set_stage_program(demo.program("larr_stage").string());
  const auto path = demo.path("config") / "coordinator.textproto";
  LARR_RETURN_IF_ERROR(WriteFileAtomically(path, ToTextProto(config)));
  return Server::Start(demo.program("larr_coordinator"), path, port_file,
                       demo.log("coordinator"));
}

// The coordinator's answers, or why it is gone.
class RunClient {
 public:
  explicit RunClient(Server& server)
      : server_(server),
        stub_(CoordinatorService::NewStub(grpc::CreateChannel(
            server.address(), grpc::InsecureChannelCredentials()))) {}

  template <typename Method, typename Request>
  absl::StatusOr<TrainingRun> Call(Method method, const Request& request) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(30));
    TrainingRun run;
    const grpc::Status status = ((*stub_).*method)(&context, request, &run);
    if (status.ok()) return run;
    LARR_RETURN_IF_ERROR(server_.Check());
    return FromGrpc(status);
  }

  absl::StatusOr<TrainingRun> Get() {
    coordinator::v1::GetTrainingRunRequest request;
    request.set_name(kRunName);
    return Call(&CoordinatorService::Stub::GetTrainingRun, request);
  }

 private:
  Server& server_;
  const std::unique_ptr<CoordinatorService::Stub> stub_;
};

bool IsOver(const TrainingRun& run) {
  return run.state() != TrainingRun::QUEUED &&
         run.state() != TrainingRun::RUNNING;
}

// Creates the run, or takes up the one of an earlier demo.
absl::StatusOr<TrainingRun> Begin(const Demo& demo, RunClient& client) {
  coordinator::v1::CreateTrainingRunRequest create;
  create.set_training_run_id("demo");
  *create.mutable_training_run()->mutable_spec() = demo.training();
  LARR_ASSIGN_OR_RETURN(
      TrainingRun run,
      client.Call(&CoordinatorService::Stub::CreateTrainingRun, create));
  // An earlier demo was killed while it stopped the stages.
  while (run.cancel_requested()) {
    LARR_RETURN_IF_ERROR(CheckInterrupt());
    std::this_thread::sleep_for(kPoll);
    LARR_ASSIGN_OR_RETURN(run, client.Get());
  }
  if (run.state() != TrainingRun::FAILED &&
      run.state() != TrainingRun::CANCELLED) {
    return run;
  }
  coordinator::v1::ResumeTrainingRunRequest resume;
  resume.set_name(kRunName);
  return client.Call(&CoordinatorService::Stub::ResumeTrainingRun, resume);
}

// Stops the stages and waits for their end: only a run that is over can be
// resumed. Checkpoints stay.
absl::Status Cancel(RunClient& client) {
  fmt::print("interrupted: waiting for the stage to stop\n");
  coordinator::v1::CancelTrainingRunRequest request;
  request.set_name(kRunName);
  LARR_ASSIGN_OR_RETURN(
      TrainingRun run,
      client.Call(&CoordinatorService::Stub::CancelTrainingRun, request));
  while (!IsOver(run)) {
    std::this_thread::sleep_for(kPoll);
    LARR_ASSIGN_OR_RETURN(run, client.Get());
  }
  return CheckInterrupt();
}

absl::StatusOr<TrainingRun> Watch(RunClient& client, TrainingRun run) {
  ctl::ProgressView view(stdout, isatty(STDOUT_FILENO));
  while (!IsOver(run)) {
    view.Update(ctl::ToProgress(run));
    if (Interrupted()) return Cancel(client);
    std::this_thread::sleep_for(kPoll);
    LARR_ASSIGN_OR_RETURN(run, client.Get());
  }
  view.Update(ctl::ToProgress(run));
  return run;
}

}  // namespace

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
  LARR_ASSIGN_OR_RETURN(Server server, StartCoordinator(demo));
  RunClient client(server);
  LARR_ASSIGN_OR_RETURN(TrainingRun run, Begin(demo, client));
  LARR_ASSIGN_OR_RETURN(run, Watch(client, std::move(run)));
  if (run.state() != TrainingRun::SUCCEEDED) {
    return absl::AbortedError(fmt::format(
        "the training run {}: {}",
        run.state() == TrainingRun::FAILED ? "failed" : "was cancelled",
        run.error_message()));
  }
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

std::filesystem::path ArtifactOf(const TrainingRun& run,
                                 const std::string& stage) {
  for (const auto& candidate : run.stages()) {
    if (candidate.id() == stage) return candidate.artifact_path();
  }
  return {};
}

std::string ServedModel(const Demo& demo) {
  return demo.training().align(demo.training().align_size() - 1).name();
}

}  // namespace larr::demo
