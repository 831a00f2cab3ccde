// SPDX-License-Identifier: Apache-2.0
#include "tools/demo/training_runs.h"

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <chrono>
#include <thread>
#include <utility>

#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "common/config/text_proto.h"
#include "common/rpc/grpc_status.h"
#include "tools/larrctl/progress_view.h"

namespace larr::demo {
namespace {

using coordinator::v1::TrainingRun;

constexpr auto kPoll = std::chrono::milliseconds(300);
constexpr std::chrono::seconds kCallTime(30);

bool IsOver(const TrainingRun& run) {
  return run.state() != TrainingRun::QUEUED &&
         run.state() != TrainingRun::RUNNING;
}

}  // namespace

TrainingRuns::TrainingRuns(Server server)
    : server_(std::move(server)),
      stub_(Service::NewStub(grpc::CreateChannel(
          server_.address(), grpc::InsecureChannelCredentials()))) {}

absl::StatusOr<TrainingRuns> TrainingRuns::Start(
    const CoordinatorPlaces& places) {
  config::v1::CoordinatorConfig config;
  std::filesystem::path port_file = places.settings;
  port_file.replace_extension(".port");
  config.mutable_server()->set_listen("127.0.0.1:0");
  config.mutable_server()->set_port_file(port_file.string());
  config.set_state_dir(places.state.string());
  config.set_artifact_root(places.artifacts.string());
  config.set_stage_program((places.programs / "larr_stage").string());
  LARR_RETURN_IF_ERROR(
      WriteFileAtomically(places.settings, ToTextProto(config)));
  LARR_ASSIGN_OR_RETURN(Server server,
                        Server::Start(places.programs / "larr_coordinator",
                                      places.settings, port_file, places.log));
  return TrainingRuns(std::move(server));
}

template <typename Method, typename Request>
absl::StatusOr<TrainingRun> TrainingRuns::Call(Method method,
                                               const Request& request) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kCallTime);
  TrainingRun run;
  const grpc::Status status = ((*stub_).*method)(&context, request, &run);
  if (status.ok()) return run;
  LARR_RETURN_IF_ERROR(server_.Check());
  return FromGrpc(status);
}

absl::StatusOr<TrainingRun> TrainingRuns::Get(const std::string& name) {
  coordinator::v1::GetTrainingRunRequest request;
  request.set_name(name);
  return Call(&Service::Stub::GetTrainingRun, request);
}

// Creates the run, or takes up the one of an earlier call.
absl::StatusOr<TrainingRun> TrainingRuns::Begin(
    const std::string& id, const config::v1::TrainingSpec& spec) {
  coordinator::v1::CreateTrainingRunRequest create;
  create.set_training_run_id(id);
  *create.mutable_training_run()->mutable_spec() = spec;
  LARR_ASSIGN_OR_RETURN(TrainingRun run,
                        Call(&Service::Stub::CreateTrainingRun, create));
  // The earlier one was killed while it stopped the stages.
  while (run.cancel_requested()) {
    LARR_RETURN_IF_ERROR(CheckInterrupt());
    std::this_thread::sleep_for(kPoll);
    LARR_ASSIGN_OR_RETURN(run, Get(run.name()));
  }
  if (run.state() != TrainingRun::FAILED &&
      run.state() != TrainingRun::CANCELLED) {
    return run;
  }
  coordinator::v1::ResumeTrainingRunRequest resume;
  resume.set_name(run.name());
  return Call(&Service::Stub::ResumeTrainingRun, resume);
}

// Stops the stages and waits for their end: only a run that is over can be
// resumed.
absl::Status TrainingRuns::Cancel(const std::string& name) {
  fmt::print("interrupted: waiting for the stage to stop\n");
  coordinator::v1::CancelTrainingRunRequest request;
  request.set_name(name);
  LARR_ASSIGN_OR_RETURN(TrainingRun run,
                        Call(&Service::Stub::CancelTrainingRun, request));
  while (!IsOver(run)) {
    std::this_thread::sleep_for(kPoll);
    LARR_ASSIGN_OR_RETURN(run, Get(name));
  }
  return CheckInterrupt();
}

absl::StatusOr<TrainingRun> TrainingRuns::Watch(TrainingRun run) {
  ctl::ProgressView view(stdout, isatty(STDOUT_FILENO));
  while (!IsOver(run)) {
    view.Update(ctl::ToProgress(run));
    if (Interrupted()) return Cancel(run.name());
    std::this_thread::sleep_for(kPoll);
    LARR_ASSIGN_OR_RETURN(run, Get(run.name()));
  }
  view.Update(ctl::ToProgress(run));
  return run;
}

absl::StatusOr<TrainingRun> TrainingRuns::Finish(
    const std::string& id, const config::v1::TrainingSpec& spec) {
  LARR_ASSIGN_OR_RETURN(TrainingRun run, Begin(id, spec));
  LARR_ASSIGN_OR_RETURN(run, Watch(std::move(run)));
  if (run.state() == TrainingRun::SUCCEEDED) return run;
  return absl::AbortedError(fmt::format(
      "the training run {}: {}",
      run.state() == TrainingRun::FAILED ? "failed" : "was cancelled",
      run.error_message()));
}

std::filesystem::path ArtifactOf(const TrainingRun& run,
                                 const std::string& stage) {
  for (const auto& candidate : run.stages()) {
    if (candidate.id() == stage) return candidate.artifact_path();
  }
  return {};
}

}  // namespace larr::demo
