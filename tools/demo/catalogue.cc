// SPDX-License-Identifier: Apache-2.0
#include "tools/demo/catalogue.h"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <ctime>
#include <set>
#include <thread>

#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "common/dataset/parquet_reader.h"
#include "common/dataset/parquet_writer.h"
#include "common/rpc/grpc_status.h"
#include "larr/embedding/v1/embedding_service.pb.h"
#include "larr/scoring/v1/scoring_service.grpc.pb.h"
#include "tools/demo/replay.h"
#include "tools/demo/training.h"
#include "tools/larrctl/progress_view.h"
#include "tools/larrctl/training_run.h"
#include "tools/programs/interrupts.h"

namespace larr::demo {
namespace {

namespace fs = std::filesystem;
using coordinator::v1::TrainingRun;
using ctl::ArtifactOf;
using embedding::v1::RefreshJob;
using programs::Server;

constexpr int kChangedPois = 20;
constexpr int kJobAttempts = 3;
constexpr auto kTrafficAround = std::chrono::milliseconds(1500);

fs::path Partition(const fs::path& table, const std::string& day) {
  return table / ("date=" + day);
}

// A copy of the city that shares its files. Nothing in it is written again.
absl::Status CopyCity(const Demo& demo) {
  const fs::path to = demo.path("catalogue");
  if (fs::exists(to)) return absl::OkStatus();
  const fs::path aside = demo.path("catalogue.partial");
  std::error_code error;
  fs::remove_all(aside, error);
  fs::copy(demo.path("city"), aside,
           fs::copy_options::recursive | fs::copy_options::create_hard_links,
           error);
  if (error) return FileStatus("cannot copy the city to", aside, error);
  fs::rename(aside, to, error);
  return error ? FileStatus("cannot rename to", to, error) : absl::OkStatus();
}

// Two texts of a POI in new words.
void Edit(const std::string& column, ParquetWriter::Cell& cell) {
  auto* text = std::get_if<std::string>(&cell);
  if (text == nullptr) return;
  if (column == "menu") *text = "chef's tasting plate, " + *text;
  if (column == "introduction") *text += " New menu this week.";
}

// Writes the partition of the next day: the last one with other texts for the
// first POIs.
absl::Status WriteNextDay(const Demo& demo) {
  const fs::path pois = demo.path("catalogue") / "pois";
  if (fs::exists(Partition(pois, kNextDay))) return absl::OkStatus();
  LARR_ASSIGN_OR_RETURN(
      const auto file,
      ParquetFile::Open(Partition(pois, kLastDay) / "part-0.parquet"));
  std::vector<std::string> names;
  std::vector<ParquetWriter::Column> columns;
  for (const ColumnInfo& column : file.columns()) {
    names.push_back(column.name);
    columns.push_back({column.name, column.type});
  }
  const fs::path aside = demo.path("next-day.partial");
  std::error_code error;
  fs::remove_all(aside, error);
  LARR_RETURN_IF_ERROR(MakeFolder(aside));
  LARR_ASSIGN_OR_RETURN(
      auto writer, ParquetWriter::Create(aside / "part-0.parquet", columns));
  LARR_RETURN_IF_ERROR(file.ForEachRow(
      names, [&](const RowGroup& group, int64_t i, int64_t number) {
        std::vector<ParquetWriter::Cell> cells(names.size());
        for (size_t c = 0; c < names.size(); ++c) {
          Value value;
          group.column(static_cast<int>(c)).Read(i, value);
          std::visit([&](auto& v) { cells[c] = std::move(v); }, value);
          if (number <= kChangedPois) Edit(names[c], cells[c]);
        }
        return writer.Append(cells);
      }));
  LARR_RETURN_IF_ERROR(writer.Finish());
  fs::rename(aside, Partition(pois, kNextDay), error);
  return error
             ? FileStatus("cannot rename to", Partition(pois, kNextDay), error)
             : absl::OkStatus();
}

// The job as larrctl last told of it.
absl::StatusOr<RefreshJob> LastTold(const fs::path& output) {
  LARR_ASSIGN_OR_RETURN(std::string text, ReadFile(output));
  text.erase(text.rfind('\n') + 1);  // A line that is not whole yet.
  if (!text.empty()) text.pop_back();
  RefreshJob job;
  const auto parsed = google::protobuf::util::JsonStringToMessage(
      text.substr(text.rfind('\n') + 1), &job);
  if (!parsed.ok()) return absl::DataLossError(parsed.ToString());
  return job;
}

// Asks for a refresh as a person would, and waits for its end. A job of that
// name that an earlier demo finished is not done again; those that failed for
// it are no attempts of this one.
absl::StatusOr<RefreshJob> Refresh(const Demo& demo, const Server& embedding,
                                   const std::string& name) {
  const fs::path output = demo.path("config") / "refresh.jsonl";
  ctl::ProgressView view(stdout, isatty(STDOUT_FILENO));
  const auto show = [&] {
    if (const auto job = LastTold(output); job.ok()) {
      view.Update(ctl::ToProgress(*job));
    }
  };
  const std::time_t begin = std::time(nullptr);
  int failures = 0;
  for (int number = 1;; ++number) {
    const std::string id =
        number == 1 ? name : fmt::format("{}-{}", name, number);
    std::error_code ignored;
    fs::remove(output, ignored);
    const absl::Status status = programs::RunProgram(
        {.words = {programs::ProgramBeside("larrctl").string(), "--embedding",
                   embedding.address(), "--output=json", "embed", "create",
                   "--id", id, "--watch"},
         .log = demo.log("larrctl"),
         .output = output},
        show);
    LARR_RETURN_IF_ERROR(programs::CheckInterrupt());
    const auto job = LastTold(output);
    if (status.ok()) {
      show();
      return job;
    }
    const bool earlier =
        job.ok() && job->has_end_time() && job->end_time().seconds() < begin;
    failures += earlier ? 0 : 1;
    if (failures == kJobAttempts) return status;
  }
}

// What requests saw while they went on.
struct Traffic {
  std::atomic<int64_t> sent = 0;
  std::atomic<int64_t> failed = 0;
  std::atomic<int64_t> on_new_snapshot = 0;
};

void SendRequests(const std::string& address,
                  const std::vector<LoggedRequest>& requests,
                  const std::stop_token& stop, Traffic& traffic) {
  const auto stub = scoring::v1::ScoringService::NewStub(
      grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  std::string first_snapshot;
  for (size_t i = 0; !stop.stop_requested(); i = (i + 1) % requests.size()) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(5));
    scoring::v1::ScoreResponse response;
    const auto status = stub->Score(&context, requests[i].request, &response);
    ++traffic.sent;
    if (!status.ok()) ++traffic.failed;
    if (first_snapshot.empty()) first_snapshot = response.snapshot();
    if (status.ok() && response.snapshot() != first_snapshot) {
      ++traffic.on_new_snapshot;
    }
  }
}

// Moves a scoring server to `snapshot` while requests go on.
absl::Status SwitchUnderTraffic(const Demo& demo, const TrainingRun& run,
                                const std::string& snapshot, Traffic& traffic) {
  LARR_ASSIGN_OR_RETURN(const auto requests, LoadLastDay(demo, run));
  LARR_ASSIGN_OR_RETURN(Server scoring, StartScoring(demo, run));
  std::jthread sender([&](const std::stop_token& stop) {
    SendRequests(scoring.address(), requests, stop, traffic);
  });
  std::this_thread::sleep_for(kTrafficAround);
  const auto admin =
      scoring::v1::ScoringAdminService::NewStub(grpc::CreateChannel(
          scoring.admin_address(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(60));
  scoring::v1::SwitchBundleRequest request;
  request.set_snapshot_path(snapshot);
  scoring::v1::ServingState state;
  const auto status = admin->SwitchBundle(&context, request, &state);
  if (status.ok()) std::this_thread::sleep_for(kTrafficAround);
  sender.request_stop();
  sender.join();
  LARR_RETURN_IF_ERROR(scoring.Check());
  return FromGrpc(status);
}

}  // namespace

config::v1::EmbeddingConfig EmbeddingSettings(const Demo& demo,
                                              const TrainingRun& run) {
  config::v1::EmbeddingConfig config;
  config.set_state_dir(demo.path("embedding").string());
  config.set_snapshot_dir(demo.path("snapshots").string());
  config.set_checkpoint(ArtifactOf(run, "contrast").string());
  config.set_dataset((demo.path("catalogue") / "dataset.textproto").string());
  config.set_base_snapshot(ArtifactOf(run, "embed").string());
  *config.mutable_embed() = demo.training().embed();
  config.set_threads(demo.training().threads());
  return config;
}

absl::StatusOr<Server> StartEmbedding(const Demo& demo,
                                      const TrainingRun& run) {
  LARR_RETURN_IF_ERROR(CopyCity(demo));
  return Server::Start("larr_embedding", EmbeddingSettings(demo, run),
                       demo.path("config") / "embedding.textproto",
                       demo.log("embedding"));
}

absl::StatusOr<Json> ChangeCatalogue(const Demo& demo, const TrainingRun& run) {
  LARR_ASSIGN_OR_RETURN(Server embedding, StartEmbedding(demo, run));
  fmt::print("a refresh of the unchanged catalogue\n");
  LARR_ASSIGN_OR_RETURN(const RefreshJob before,
                        Refresh(demo, embedding, "unchanged"));
  fmt::print("{} POIs get other texts; another refresh\n", kChangedPois);
  LARR_RETURN_IF_ERROR(WriteNextDay(demo));
  LARR_ASSIGN_OR_RETURN(const RefreshJob after,
                        Refresh(demo, embedding, "catalogue-change"));
  fmt::print("{} of {} texts encoded ({} of {} before the change)\n",
             after.texts_encoded(), after.texts_total(), before.texts_encoded(),
             before.texts_total());
  fmt::print("scoring moves to the new snapshot while requests go on\n");
  Traffic traffic;
  LARR_RETURN_IF_ERROR(
      SwitchUnderTraffic(demo, run, after.snapshot_path(), traffic));
  fmt::print(
      "of {} requests {} failed, and {} were answered from the new snapshot\n",
      traffic.sent.load(), traffic.failed.load(),
      traffic.on_new_snapshot.load());
  return Json{
      {"texts_total", after.texts_total()},
      {"texts_encoded", after.texts_encoded()},
      {"texts_total_before_change", before.texts_total()},
      {"texts_encoded_before_change", before.texts_encoded()},
      {"tokens_encoded", after.tokens_encoded()},
      {"pois_changed", kChangedPois},
      {"switch_requests", traffic.sent.load()},
      {"switch_requests_failed", traffic.failed.load()},
      {"switch_requests_on_new_snapshot", traffic.on_new_snapshot.load()}};
}

}  // namespace larr::demo
