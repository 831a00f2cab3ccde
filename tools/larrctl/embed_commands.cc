// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <unistd.h>

#include "common/base/status_macros.h"
#include "larr/embedding/v1/embedding_service.grpc.pb.h"
#include "tools/larrctl/client.h"
#include "tools/larrctl/names.h"
#include "tools/larrctl/output.h"
#include "tools/larrctl/progress_view.h"

namespace larr::ctl {
namespace {

using namespace embedding::v1;  // NOLINT: one service's messages

struct EmbedArguments {
  std::string id;
  std::string as_of_date;
  std::string name;
  std::string text;
  std::vector<std::string> texts;
  int32_t top_k = 10;
  bool watch = false;
};

struct EmbedClient {
  explicit EmbedClient(const Session& session)
      : client(session, Server::kEmbedding),
        stub(EmbeddingService::NewStub(client.channel())) {}
  Client client;
  std::unique_ptr<EmbeddingService::Stub> stub;
};

void PrintJob(const RefreshJob& job) {
  fmt::print(
      "job        {}\nstate      {}\ncreated    {}\ntime       {}\n"
      "texts      {}\nto encode  {}\nencoded    {}\n",
      job.name(), RefreshJob::State_Name(job.state()),
      TimeText(job.create_time()),
      DurationText(SecondsBetween(job.create_time(), job.end_time())),
      job.texts_total(), job.texts_to_encode(), job.texts_encoded());
  if (!job.snapshot_path().empty()) {
    fmt::print("snapshot   {}\n", job.snapshot_path());
  }
  if (!job.error_message().empty()) {
    fmt::print("error      {}\n", job.error_message());
  }
}

void Print(const Session& session, const RefreshJob& job) {
  session.json ? PrintJson(job) : PrintJob(job);
}

absl::Status Watch(const Session& session, const std::string& name) {
  const EmbedClient embed(session);
  ProgressView view(stdout, isatty(STDOUT_FILENO));
  WatchRefreshJobRequest request;
  request.set_name(FullName("refreshJobs", name));
  RefreshJob job;
  LARR_RETURN_IF_ERROR(
      embed.client.Stream([&](grpc::ClientContext* context, bool& reached) {
        const auto reader = embed.stub->WatchRefreshJob(context, request);
        while (reader->Read(&job)) {
          reached = true;
          session.json ? PrintJson(job) : view.Update(ToProgress(job));
        }
        return reader->Finish();
      }));
  if (!session.json) PrintJob(job);
  if (job.state() == RefreshJob::SUCCEEDED) return absl::OkStatus();
  if (job.state() == RefreshJob::CANCELLED) {
    return absl::CancelledError(fmt::format(
        "{} was cancelled; what it encoded is kept for the next one",
        job.name()));
  }
  return absl::AbortedError(
      fmt::format("{} failed: {}", job.name(), job.error_message()));
}

absl::Status Create(const Session& session, const EmbedArguments& arguments) {
  CreateRefreshJobRequest request;
  request.set_refresh_job_id(arguments.id);
  request.mutable_refresh_job()->set_as_of_date(arguments.as_of_date);
  const EmbedClient embed(session);
  RefreshJob job;
  LARR_RETURN_IF_ERROR(embed.client.Call([&](auto* context) {
    return embed.stub->CreateRefreshJob(context, request, &job);
  }));
  if (arguments.watch) return Watch(session, job.name());
  Print(session, job);
  return absl::OkStatus();
}

absl::Status List(const Session& session) {
  const EmbedClient embed(session);
  ListRefreshJobsRequest request;
  ListRefreshJobsResponse all;
  do {
    ListRefreshJobsResponse page;
    LARR_RETURN_IF_ERROR(embed.client.Call([&](auto* context) {
      return embed.stub->ListRefreshJobs(context, request, &page);
    }));
    all.mutable_refresh_jobs()->MergeFrom(page.refresh_jobs());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  if (session.json) {
    PrintJson(all);
    return absl::OkStatus();
  }
  std::vector<std::vector<std::string>> rows;
  for (const RefreshJob& job : all.refresh_jobs()) {
    rows.push_back(
        {job.name(), RefreshJob::State_Name(job.state()),
         TimeText(job.create_time()),
         fmt::format("{}/{}", job.texts_encoded(), job.texts_to_encode()),
         fmt::to_string(job.texts_total()), job.snapshot_path()});
  }
  fmt::print("{}", Table({"JOB", "STATE", "CREATED (UTC)", "ENCODED", "TEXTS",
                          "SNAPSHOT"},
                         rows));
  return absl::OkStatus();
}

absl::Status Get(const Session& session, const EmbedArguments& arguments) {
  const EmbedClient embed(session);
  GetRefreshJobRequest request;
  request.set_name(FullName("refreshJobs", arguments.name));
  RefreshJob job;
  LARR_RETURN_IF_ERROR(embed.client.Call([&](auto* context) {
    return embed.stub->GetRefreshJob(context, request, &job);
  }));
  Print(session, job);
  return absl::OkStatus();
}

absl::Status Cancel(const Session& session, const EmbedArguments& arguments) {
  const EmbedClient embed(session);
  CancelRefreshJobRequest request;
  request.set_name(FullName("refreshJobs", arguments.name));
  RefreshJob job;
  LARR_RETURN_IF_ERROR(embed.client.Call([&](auto* context) {
    return embed.stub->CancelRefreshJob(context, request, &job);
  }));
  Print(session, job);
  return absl::OkStatus();
}

absl::Status Search(const Session& session, const EmbedArguments& arguments) {
  const EmbedClient embed(session);
  SearchPoisRequest request;
  request.set_scene_text(arguments.text);
  request.set_top_k(arguments.top_k);
  SearchPoisResponse response;
  LARR_RETURN_IF_ERROR(embed.client.Call([&](auto* context) {
    return embed.stub->SearchPois(context, request, &response);
  }));
  if (session.json) {
    PrintJson(response);
    return absl::OkStatus();
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& result : response.results()) {
    rows.push_back({fmt::to_string(rows.size() + 1), result.poi_id(),
                    fmt::format("{:.4f}", result.score()),
                    result.description()});
  }
  fmt::print("{}", Table({"", "POI", "COSINE", "DESCRIPTION"}, rows));
  return absl::OkStatus();
}

absl::Status Texts(const Session& session, const EmbedArguments& arguments) {
  const EmbedClient embed(session);
  EmbedTextsRequest request;
  for (const std::string& text : arguments.texts) request.add_texts(text);
  EmbedTextsResponse response;
  LARR_RETURN_IF_ERROR(embed.client.Call([&](auto* context) {
    return embed.stub->EmbedTexts(context, request, &response);
  }));
  if (session.json) {
    PrintJson(response);
    return absl::OkStatus();
  }
  fmt::print("embedder {}\n", response.embedder_fingerprint());
  for (const Embedding& vector : response.embeddings()) {
    fmt::print("{:.6g}\n", fmt::join(vector.values(), " "));
  }
  return absl::OkStatus();
}

}  // namespace

void AddEmbedCommands(CLI::App& app, Session& session) {
  const auto arguments = std::make_shared<EmbedArguments>();
  EmbedArguments* const args = arguments.get();
  CLI::App* const group =
      app.add_subcommand("embed", "Refreshes, vectors, recall");
  group->require_subcommand(1);
  const auto act = [&session, arguments](CLI::App* command, auto work) {
    command->callback([&session, arguments, work] {
      session.action = [&session, arguments, work] {
        return work(session, *arguments);
      };
    });
  };
  const auto named = [&](const std::string& name, const std::string& help) {
    CLI::App* command = group->add_subcommand(name, help);
    command->add_option("job", args->name, "Name of the job")->required();
    return command;
  };

  CLI::App* create = group->add_subcommand(
      "create", "Encode what changed, publish a snapshot");
  create->add_option("--id", args->id,
                     "Name; repeating a call changes nothing");
  create->add_option("--as-of", args->as_of_date,
                     "Day of the entities, YYYY-MM-DD; default: the newest");
  create->add_flag("--watch", args->watch, "Stay until it is finished");
  act(create, Create);
  act(group->add_subcommand("list", "List jobs, newest first"),
      [](const Session& s, const EmbedArguments&) { return List(s); });
  act(named("get", "Show a job"), Get);
  act(named("watch", "Follow a job until it is finished"),
      [](const Session& s, const EmbedArguments& a) {
        return Watch(s, a.name);
      });
  act(named("cancel", "Stop a job"), Cancel);
  CLI::App* search =
      group->add_subcommand("search", "Find the POIs nearest to a scene");
  search->add_option("text", args->text, "The scene, in words")->required();
  search->add_option("--top-k,-k", args->top_k, "How many")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  act(search, Search);
  CLI::App* texts =
      group->add_subcommand("texts", "Print the vectors of texts");
  texts->add_option("texts", args->texts, "e.g. '<weather>hot</weather>'")
      ->required();
  act(texts, Texts);
}

}  // namespace larr::ctl
