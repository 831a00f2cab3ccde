// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <unistd.h>

#include "common/base/status_macros.h"
#include "larr/embedding/v1/embedding_service.grpc.pb.h"
#include "tools/larrctl/command_group.h"
#include "tools/larrctl/names.h"
#include "tools/larrctl/output.h"
#include "tools/larrctl/progress_view.h"
#include "tools/larrctl/service_client.h"

namespace larr::ctl {
namespace {

using namespace embedding::v1;  // NOLINT: one service's messages
using EmbedClient = ServiceClient<EmbeddingService, Server::kEmbedding>;
using Stub = EmbeddingService::Stub;

constexpr char kCollection[] = "refreshJobs";

struct EmbedArguments {
  std::string id;
  std::string as_of_date;
  std::string name;
  std::string text;
  std::vector<std::string> texts;
  int32_t top_k = 10;
  bool watch = false;
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

absl::Status Outcome(const RefreshJob& job) {
  if (job.state() == RefreshJob::SUCCEEDED) return absl::OkStatus();
  if (job.state() == RefreshJob::CANCELLED) {
    return absl::CancelledError(fmt::format(
        "{} was cancelled; what it encoded is kept for the next one",
        job.name()));
  }
  return absl::AbortedError(
      fmt::format("{} failed: {}", job.name(), job.error_message()));
}

absl::Status Watch(const Session& session, const std::string& name) {
  ProgressView view(stdout, isatty(STDOUT_FILENO));
  LARR_ASSIGN_OR_RETURN(const RefreshJob job,
                        EmbedClient(session).Stream(
                            &Stub::WatchRefreshJob,
                            Named<WatchRefreshJobRequest>(kCollection, name),
                            [&](const RefreshJob& state) {
                              session.json ? PrintJson(state)
                                           : view.Update(ToProgress(state));
                            }));
  if (!session.json) PrintJob(job);
  return Outcome(job);
}

absl::Status Create(const Session& session, const EmbedArguments& arguments) {
  CreateRefreshJobRequest request;
  request.set_refresh_job_id(arguments.id);
  request.mutable_refresh_job()->set_as_of_date(arguments.as_of_date);
  const auto job = EmbedClient(session).Call(&Stub::CreateRefreshJob, request);
  if (job.ok() && arguments.watch) return Watch(session, job->name());
  return Show(session.json, job, PrintJob);
}

void PrintJobs(const ListRefreshJobsResponse& all) {
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
}

absl::Status List(const Session& session, const EmbedArguments&) {
  const auto all = EmbedClient(session).ListAll(&Stub::ListRefreshJobs,
                                                ListRefreshJobsRequest());
  return Show(session.json, all, PrintJobs);
}

absl::Status Get(const Session& session, const EmbedArguments& arguments) {
  const auto request = Named<GetRefreshJobRequest>(kCollection, arguments.name);
  return Show(session.json,
              EmbedClient(session).Call(&Stub::GetRefreshJob, request),
              PrintJob);
}

absl::Status Cancel(const Session& session, const EmbedArguments& arguments) {
  const auto request =
      Named<CancelRefreshJobRequest>(kCollection, arguments.name);
  return Show(session.json,
              EmbedClient(session).Call(&Stub::CancelRefreshJob, request),
              PrintJob);
}

void PrintPois(const SearchPoisResponse& found) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& result : found.results()) {
    rows.push_back({fmt::to_string(rows.size() + 1), result.poi_id(),
                    fmt::format("{:.4f}", result.score()),
                    result.description()});
  }
  fmt::print("{}", Table({"", "POI", "COSINE", "DESCRIPTION"}, rows));
}

absl::Status Search(const Session& session, const EmbedArguments& arguments) {
  SearchPoisRequest request;
  request.set_scene_text(arguments.text);
  request.set_top_k(arguments.top_k);
  return Show(session.json,
              EmbedClient(session).Call(&Stub::SearchPois, request), PrintPois);
}

void PrintVectors(const EmbedTextsResponse& embedded) {
  fmt::print("embedder {}\n", embedded.embedder_fingerprint());
  for (const Embedding& vector : embedded.embeddings()) {
    fmt::print("{:.6g}\n", fmt::join(vector.values(), " "));
  }
}

absl::Status Texts(const Session& session, const EmbedArguments& arguments) {
  EmbedTextsRequest request;
  for (const std::string& text : arguments.texts) request.add_texts(text);
  return Show(session.json,
              EmbedClient(session).Call(&Stub::EmbedTexts, request),
              PrintVectors);
}

}  // namespace

void AddEmbedCommands(CLI::App& app, Session& session) {
  CommandGroup<EmbedArguments> group(app, session, "embed",
                                     "Refreshes, vectors, recall");
  EmbedArguments& args = group.arguments();
  const auto add_named = [&](const char* name, const char* help, auto work) {
    CLI::App* command = group.Add(name, help, work);
    command->add_option("job", args.name, "Name of the job")->required();
  };

  CLI::App* create =
      group.Add("create", "Encode what changed, publish a snapshot", Create);
  create->add_option("--id", args.id, "Name; repeating a call changes nothing");
  create->add_option("--as-of", args.as_of_date,
                     "Day of the entities, YYYY-MM-DD; default: the newest");
  create->add_flag("--watch", args.watch, "Stay until it is finished");
  group.Add("list", "List jobs, newest first", List);
  add_named("get", "Show a job", Get);
  add_named("watch", "Follow a job until it is finished",
            [](const Session& s, const EmbedArguments& a) {
              return Watch(s, a.name);
            });
  add_named("cancel", "Stop a job", Cancel);
  CLI::App* search =
      group.Add("search", "Find the POIs nearest to a scene", Search);
  search->add_option("text", args.text, "The scene, in words")->required();
  search->add_option("--top-k,-k", args.top_k, "How many")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  CLI::App* texts = group.Add("texts", "Print the vectors of texts", Texts);
  texts->add_option("texts", args.texts, "e.g. '<weather>hot</weather>'")
      ->required();
}

}  // namespace larr::ctl
