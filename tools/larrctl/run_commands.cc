// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <unistd.h>

#include "common/base/status_macros.h"
#include "common/config/text_proto.h"
#include "larr/coordinator/v1/coordinator_service.grpc.pb.h"
#include "tools/larrctl/client.h"
#include "tools/larrctl/names.h"
#include "tools/larrctl/output.h"
#include "tools/larrctl/progress_view.h"

namespace larr::ctl {
namespace {

using namespace coordinator::v1;  // NOLINT: one service's messages

struct RunArguments {
  std::string spec;
  std::string id;
  std::string name;
  std::string stage;
  bool watch = false;
  bool follow = false;
  int64_t offset = 0;
};

struct RunClient {
  explicit RunClient(const Session& session)
      : client(session, Server::kCoordinator),
        stub(CoordinatorService::NewStub(client.channel())) {}
  Client client;
  std::unique_ptr<CoordinatorService::Stub> stub;
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

void Print(const Session& session, const TrainingRun& run) {
  session.json ? PrintJson(run) : PrintRun(run);
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
  const RunClient run_client(session);
  ProgressView view(stdout, isatty(STDOUT_FILENO));
  WatchTrainingRunRequest request;
  request.set_name(FullName("trainingRuns", name));
  TrainingRun run;
  LARR_RETURN_IF_ERROR(run_client.client.Stream(
      [&](grpc::ClientContext* context, bool& reached) {
        const auto reader = run_client.stub->WatchTrainingRun(context, request);
        while (reader->Read(&run)) {
          reached = true;
          session.json ? PrintJson(run) : view.Update(ToProgress(run));
        }
        return reader->Finish();
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
  MakePathsAbsolute(arguments.spec, spec);
  CreateTrainingRunRequest request;
  request.set_training_run_id(arguments.id);
  *request.mutable_training_run()->mutable_spec() = std::move(spec);
  const RunClient run_client(session);
  TrainingRun run;
  LARR_RETURN_IF_ERROR(run_client.client.Call([&](auto* context) {
    return run_client.stub->CreateTrainingRun(context, request, &run);
  }));
  if (arguments.watch) return Watch(session, run.name());
  Print(session, run);
  return absl::OkStatus();
}

absl::Status List(const Session& session) {
  const RunClient run_client(session);
  ListTrainingRunsRequest request;
  ListTrainingRunsResponse all;
  do {
    ListTrainingRunsResponse page;
    LARR_RETURN_IF_ERROR(run_client.client.Call([&](auto* context) {
      return run_client.stub->ListTrainingRuns(context, request, &page);
    }));
    all.mutable_training_runs()->MergeFrom(page.training_runs());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  if (session.json) {
    PrintJson(all);
    return absl::OkStatus();
  }
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
  return absl::OkStatus();
}

absl::Status Logs(const Session& session, const RunArguments& arguments) {
  const RunClient run_client(session);
  StreamStageLogRequest request;
  request.set_name(FullName("trainingRuns", arguments.name));
  request.set_stage_id(arguments.stage);
  request.set_offset(arguments.offset);
  request.set_follow(arguments.follow);
  return run_client.client.Stream([&](grpc::ClientContext* context,
                                      bool& reached) {
    const auto reader = run_client.stub->StreamStageLog(context, request);
    StreamStageLogResponse piece;
    while (reader->Read(&piece)) {
      reached = true;
      std::fwrite(piece.content().data(), 1, piece.content().size(), stdout);
      std::fflush(stdout);
      request.set_offset(request.offset() +
                         static_cast<int64_t>(piece.content().size()));
    }
    return reader->Finish();
  });
}

// One call that takes a run's name and answers with the run.
template <typename Request, typename Method>
absl::Status ByName(const Session& session, const std::string& name,
                    Method method) {
  const RunClient run_client(session);
  Request request;
  request.set_name(FullName("trainingRuns", name));
  TrainingRun run;
  LARR_RETURN_IF_ERROR(run_client.client.Call([&](auto* context) {
    return ((*run_client.stub).*method)(context, request, &run);
  }));
  Print(session, run);
  return absl::OkStatus();
}

CLI::App* AddNamed(CLI::App* group, const std::string& name,
                   const std::string& help, RunArguments* arguments) {
  CLI::App* command = group->add_subcommand(name, help);
  command->add_option("run", arguments->name, "Name of the run")->required();
  return command;
}

}  // namespace

void AddRunCommands(CLI::App& app, Session& session) {
  const auto arguments = std::make_shared<RunArguments>();
  RunArguments* const args = arguments.get();
  CLI::App* const group = app.add_subcommand("run", "Training runs");
  group->require_subcommand(1);
  const auto act = [&session, arguments](CLI::App* command, auto work) {
    command->callback([&session, arguments, work] {
      session.action = [&session, arguments, work] {
        return work(session, *arguments);
      };
    });
  };

  CLI::App* create = group->add_subcommand("create", "Start a run");
  create->add_option("spec", args->spec, "TrainingSpec text proto")
      ->required()
      ->check(CLI::ExistingFile);
  create->add_option("--id", args->id,
                     "Name; repeating a call changes nothing");
  create->add_flag("--watch", args->watch, "Stay until it is finished");
  act(create, Create);
  act(group->add_subcommand("list", "List runs, newest first"),
      [](const Session& s, const RunArguments&) { return List(s); });
  act(AddNamed(group, "get", "Show a run", args),
      [](const Session& s, const RunArguments& a) {
        return ByName<GetTrainingRunRequest>(
            s, a.name, &CoordinatorService::Stub::GetTrainingRun);
      });
  act(AddNamed(group, "watch", "Follow a run until it is finished", args),
      [](const Session& s, const RunArguments& a) { return Watch(s, a.name); });
  act(AddNamed(group, "cancel", "Stop a run", args),
      [](const Session& s, const RunArguments& a) {
        return ByName<CancelTrainingRunRequest>(
            s, a.name, &CoordinatorService::Stub::CancelTrainingRun);
      });
  act(AddNamed(group, "resume", "Go on with a failed or cancelled run", args),
      [](const Session& s, const RunArguments& a) {
        return ByName<ResumeTrainingRunRequest>(
            s, a.name, &CoordinatorService::Stub::ResumeTrainingRun);
      });
  CLI::App* logs = AddNamed(group, "logs", "Print a stage's log", args);
  logs->add_option("stage", args->stage, "e.g. pretrain, align/larr")
      ->required();
  logs->add_flag("--follow,-f", args->follow, "Wait for more until it ends");
  logs->add_option("--offset", args->offset, "Bytes to skip");
  act(logs, Logs);
}

}  // namespace larr::ctl
