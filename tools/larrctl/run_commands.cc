// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "common/base/status_macros.h"
#include "common/config/text_proto.h"
#include "common/config/training_paths.h"
#include "larr/coordinator/v1/coordinator_service.grpc.pb.h"
#include "tools/larrctl/command_group.h"
#include "tools/larrctl/names.h"
#include "tools/larrctl/output.h"
#include "tools/larrctl/progress_view.h"
#include "tools/larrctl/service_client.h"

namespace larr::ctl {
namespace {

using namespace coordinator::v1;  // NOLINT: one service's messages
using RunClient = ServiceClient<CoordinatorService, Server::kCoordinator>;
using Stub = CoordinatorService::Stub;

constexpr char kCollection[] = "trainingRuns";

struct RunArguments {
  std::string spec;
  std::string id;
  std::string name;
  std::string stage;
  bool watch = false;
  bool follow = false;
  int64_t offset = 0;
};

void PrintRun(const TrainingRun& run) {
  fmt::print("run       {}\nstate     {}\ncreated   {}\ntime      {}\n",
             run.name(), TrainingRun::State_Name(run.state()),
             TimeText(run.create_time()),
             DurationText(SecondsBetween(run.create_time(), run.end_time())));
  if (!run.model_version().empty()) {
    fmt::print("published {}\n", run.model_version());
  }
  for (const std::string& reason : run.publish_reasons()) {
    fmt::print("gate      {}\n", reason);
  }
  if (!run.error_message().empty()) {
    fmt::print("error     {}\n", run.error_message());
  }
  std::vector<std::vector<std::string>> rows;
  for (const ProgressItem& item : ToProgress(run).items) {
    rows.push_back({item.name, Describe(item, /*with_bar=*/false)});
  }
  fmt::print("\n{}", Table({"STAGE", "PROGRESS"}, rows));
}

absl::Status Outcome(const TrainingRun& run) {
  if (run.state() == TrainingRun::SUCCEEDED) return absl::OkStatus();
  if (run.state() == TrainingRun::CANCELLED) {
    return absl::CancelledError(fmt::format(
        "{} was cancelled; take it up again with `larrctl run resume {}`",
        run.name(), run.name()));
  }
  return absl::AbortedError(fmt::format(
      "{} failed: {}. When the cause is gone: `larrctl run resume {}`",
      run.name(), run.error_message(), run.name()));
}

absl::Status Watch(const Session& session, const std::string& name) {
  ProgressView view(stdout, isatty(STDOUT_FILENO));
  LARR_ASSIGN_OR_RETURN(const TrainingRun run,
                        RunClient(session).Stream(
                            &Stub::WatchTrainingRun,
                            Named<WatchTrainingRunRequest>(kCollection, name),
                            [&](const TrainingRun& state) {
                              session.json ? PrintJson(state)
                                           : view.Update(ToProgress(state));
                            }));
  if (!session.json) {
    fmt::print("{} {} after {}\n", run.name(),
               TrainingRun::State_Name(run.state()),
               DurationText(SecondsBetween(run.create_time(), run.end_time())));
    if (!run.model_version().empty()) {
      fmt::print("published {}\n", run.model_version());
    }
    for (const std::string& reason : run.publish_reasons()) {
      fmt::print("gate: {}\n", reason);
    }
  }
  return Outcome(run);
}

absl::Status Create(const Session& session, const RunArguments& arguments) {
  LARR_ASSIGN_OR_RETURN(
      auto spec, LoadTextProto<config::v1::TrainingSpec>(arguments.spec));
  MakePathsAbsolute(std::filesystem::absolute(arguments.spec).parent_path(),
                    spec);
  CreateTrainingRunRequest request;
  request.set_training_run_id(arguments.id);
  *request.mutable_training_run()->mutable_spec() = std::move(spec);
  const auto run = RunClient(session).Call(&Stub::CreateTrainingRun, request);
  if (run.ok() && arguments.watch) return Watch(session, run->name());
  return Show(session.json, run, PrintRun);
}

void PrintRuns(const ListTrainingRunsResponse& all) {
  std::vector<std::vector<std::string>> rows;
  for (const TrainingRun& run : all.training_runs()) {
    rows.push_back(
        {run.name(), TrainingRun::State_Name(run.state()),
         TimeText(run.create_time()),
         DurationText(SecondsBetween(run.create_time(), run.end_time())),
         run.model_version()});
  }
  fmt::print("{}", Table({"RUN", "STATE", "CREATED (UTC)", "TIME", "PUBLISHED"},
                         rows));
}

absl::Status List(const Session& session, const RunArguments&) {
  const auto all = RunClient(session).ListAll(&Stub::ListTrainingRuns,
                                              ListTrainingRunsRequest());
  return Show(session.json, all, PrintRuns);
}

absl::Status Logs(const Session& session, const RunArguments& arguments) {
  auto request = Named<StreamStageLogRequest>(kCollection, arguments.name);
  request.set_stage_id(arguments.stage);
  request.set_offset(arguments.offset);
  request.set_follow(arguments.follow);
  return RunClient(session)
      .Stream(&Stub::StreamStageLog, request,
              [&](const StreamStageLogResponse& piece) {
                const std::string& bytes = piece.content();
                std::fwrite(bytes.data(), 1, bytes.size(), stdout);
                std::fflush(stdout);
                request.set_offset(request.offset() +
                                   static_cast<int64_t>(bytes.size()));
              })
      .status();
}

// The work of a call that takes a run's name and answers with the run.
template <typename Request>
auto ByName(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                         TrainingRun*)) {
  return [method](const Session& session, const RunArguments& arguments) {
    const auto request = Named<Request>(kCollection, arguments.name);
    return Show(session.json, RunClient(session).Call(method, request),
                PrintRun);
  };
}

}  // namespace

void AddRunCommands(CLI::App& app, Session& session) {
  CommandGroup<RunArguments> runs(app, session, "run", "Training runs");
  RunArguments& args = runs.arguments();
  const auto add_named = [&](const char* name, const char* help, auto work) {
    CLI::App* command = runs.Add(name, help, work);
    command->add_option("run", args.name, "Name of the run")->required();
    return command;
  };

  CLI::App* create = runs.Add("create", "Start a run", Create);
  create->add_option("spec", args.spec, "TrainingSpec text proto")
      ->required()
      ->check(CLI::ExistingFile);
  create->add_option("--id", args.id, "Name; repeating a call changes nothing");
  create->add_flag("--watch", args.watch, "Stay until it is finished");
  runs.Add("list", "List runs, newest first", List);
  add_named("get", "Show a run", ByName(&Stub::GetTrainingRun));
  add_named(
      "watch", "Follow a run until it is finished",
      [](const Session& s, const RunArguments& a) { return Watch(s, a.name); });
  add_named("cancel", "Stop a run", ByName(&Stub::CancelTrainingRun));
  add_named("resume", "Go on with a failed or cancelled run",
            ByName(&Stub::ResumeTrainingRun));
  CLI::App* logs = add_named("logs", "Print a stage's log", Logs);
  logs->add_option("stage", args.stage, "e.g. pretrain, align/larr")
      ->required();
  logs->add_flag("--follow,-f", args.follow, "Wait for more until it ends");
  logs->add_option("--offset", args.offset, "Bytes to skip");
}

}  // namespace larr::ctl
