// SPDX-License-Identifier: Apache-2.0
#include "tools/demo/replay.h"

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>

#include "common/base/seconds_since.h"
#include "common/base/status_macros.h"
#include "common/config/stage_files.h"
#include "common/ctr/auc.h"
#include "common/dataset/dataset_spec.h"
#include "common/dataset/impression_stream.h"
#include "common/dataset/parquet_reader.h"
#include "common/rpc/grpc_status.h"
#include "common/rpc/health_client.h"
#include "larr/scoring/v1/scoring_service.grpc.pb.h"
#include "tools/demo/logged_request.h"
#include "tools/demo/training.h"
#include "tools/larrctl/part_progress.h"
#include "tools/larrctl/training_run.h"
#include "tools/load/latency_histogram.h"
#include "tools/programs/interrupts.h"

namespace larr::demo {
namespace {

using coordinator::v1::TrainingRun;
using ctl::ArtifactOf;
using programs::Server;
using scoring::v1::ScoreResponse;
using scoring::v1::ScoringService;

constexpr std::chrono::seconds kLoadTime(60);  // Of a bundle, hashes included.

// A row of the evaluation's scores.
struct OfflineScore {
  std::string poi_id;
  double ctr = 0;
  double ctcvr = 0;
};

absl::StatusOr<std::vector<OfflineScore>> ReadScores(
    const std::filesystem::path& path, const std::string& model,
    const std::string& date) {
  LARR_ASSIGN_OR_RETURN(const auto file, ParquetFile::Open(path));
  std::vector<OfflineScore> scores;
  LARR_RETURN_IF_ERROR(file.ForEachRow(
      {"date", "poi_id", model + "_ctr", model + "_ctcvr"},
      [&](const RowGroup& group, int64_t i, int64_t /*number*/) {
        if (group.column(0).String(i) == date)
          scores.push_back({std::string(group.column(1).String(i)),
                            group.column(2).Number(i),
                            group.column(3).Number(i)});
        return absl::OkStatus();
      }));
  return scores;
}

// What came back, beside what was expected.
struct Comparison {
  std::vector<double> served, offline;  // CTR
  std::vector<uint8_t> clicks;
  double max_abs_diff = 0;
  load::LatencyHistogram latencies;
  int64_t defaults = 0;  // Users, POIs and texts that a default stood in for.
  std::string model_version;
};

// A scoring server answers before its first model is loaded and verified.
absl::Status AwaitModel(Server& server) {
  const auto give_up = std::chrono::steady_clock::now() + kLoadTime;
  while (true) {
    const absl::Status status = CheckHealth(server.address(), kLoadTime);
    if (status.ok()) return status;
    LARR_RETURN_IF_ERROR(programs::CheckInterrupt());
    LARR_RETURN_IF_ERROR(server.Check());
    if (std::chrono::steady_clock::now() > give_up)
      return absl::UnavailableError(
          fmt::format("no model was live after {} s: {}", kLoadTime.count(),
                      status.ToString()));
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

absl::Status Compare(const LoggedRequest& logged, const ScoreResponse& response,
                     Comparison& all) {
  if (response.scores_size() != logged.request.candidates_size()) {
    return absl::DataLossError(fmt::format("{} candidates got {} scores",
                                           logged.request.candidates_size(),
                                           response.scores_size()));
  }
  for (int i = 0; i < response.scores_size(); ++i) {
    const auto& score = response.scores(i);
    all.served.push_back(score.ctr());
    all.offline.push_back(logged.ctr[i]);
    all.clicks.push_back(logged.clicks[i]);
    all.max_abs_diff =
        std::max({all.max_abs_diff, std::abs(score.ctr() - logged.ctr[i]),
                  std::abs(score.ctcvr() - logged.ctcvr[i])});
  }
  all.defaults += response.missing().users() + response.missing().pois() +
                  response.missing().texts();
  all.model_version = response.model_version();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<LoggedRequest>> LoadLastDay(const Demo& demo,
                                                       const TrainingRun& run) {
  LARR_ASSIGN_OR_RETURN(const Dataset dataset,
                        OpenDataset(demo.training().dataset()));
  const std::string date = kLastDay;
  LARR_ASSIGN_OR_RETURN(
      const auto scores,
      ReadScores(ArtifactOf(run, "evaluate") / kTestScoresFile,
                 ServedModel(demo), date));
  LARR_ASSIGN_OR_RETURN(auto stream, ImpressionStream::Open(
                                         dataset, {.part = larr::Part::kTest}));
  std::vector<LoggedRequest> requests;
  std::string request_id;
  size_t next = 0;
  for (Impression row;;) {
    LARR_ASSIGN_OR_RETURN(const bool more, stream.Next(row));
    if (!more) break;
    if (row.date != date) continue;
    if (next == scores.size() || scores[next].poi_id != row.poi_id) {
      return absl::DataLossError(fmt::format(
          "row {} of {} in scores.parquet is not the log's: remove {} and run "
          "again",
          next, date, demo.path("").string()));
    }
    if (requests.empty() || row.request_id != request_id) {
      requests.emplace_back();
      request_id = row.request_id;
    }
    LoggedRequest& request = requests.back();
    AddImpression(dataset.schemas(), row, request.request);
    request.clicks.push_back(row.click != 0 ? 1 : 0);
    request.ctr.push_back(scores[next].ctr);
    request.ctcvr.push_back(scores[next].ctcvr);
    ++next;
  }
  return requests;
}

config::v1::ScoringConfig ScoringSettings(const Demo& demo,
                                          const TrainingRun& run) {
  config::v1::ScoringConfig config;
  config.set_admin_listen("127.0.0.1:0");
  if (run.model_version().empty()) {
    config.set_model_path(
        ArtifactOf(run, "align/" + ServedModel(demo)).string());
    config.set_snapshot_path(ArtifactOf(run, "embed").string());
    return config;
  }
  // models/{model}/versions/{version}
  const size_t begin = run.model_version().find('/') + 1;
  const std::string model = run.model_version().substr(
      begin, run.model_version().find('/', begin) - begin);
  config.set_alias_file(
      (demo.path("artifacts") / "aliases" / model / "champion.textproto")
          .string());
  return config;
}

absl::StatusOr<Server> StartScoring(const Demo& demo, const TrainingRun& run) {
  LARR_ASSIGN_OR_RETURN(
      Server server, Server::Start("larr_scoring", ScoringSettings(demo, run),
                                   demo.path("config") / "scoring.textproto",
                                   demo.log("scoring")));
  LARR_RETURN_IF_ERROR(AwaitModel(server));
  return server;
}

absl::StatusOr<Json> ReplayLastDay(const Demo& demo, const TrainingRun& run) {
  using Clock = std::chrono::steady_clock;
  LARR_ASSIGN_OR_RETURN(const auto requests, LoadLastDay(demo, run));
  LARR_ASSIGN_OR_RETURN(Server server, StartScoring(demo, run));
  const auto stub = ScoringService::NewStub(grpc::CreateChannel(
      server.address(), grpc::InsecureChannelCredentials()));
  Comparison all;
  ctl::PartProgress progress("requests", std::ssize(requests));
  const auto begin = Clock::now();
  for (const LoggedRequest& logged : requests) {
    LARR_RETURN_IF_ERROR(programs::CheckInterrupt());
    progress.Update(all.latencies.count());
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(10));
    ScoreResponse response;
    const auto sent = Clock::now();
    const grpc::Status status =
        stub->Score(&context, logged.request, &response);
    if (!status.ok()) {
      LARR_RETURN_IF_ERROR(server.Check());
      return FromGrpc(status);
    }
    all.latencies.Record(Clock::now() - sent);
    LARR_RETURN_IF_ERROR(Compare(logged, response, all));
  }
  const double seconds = SecondsSince(begin);
  progress.Finish(std::ssize(requests));
  Json json = {
      {"scores", all.served.size()},
      {"max_abs_diff", all.max_abs_diff},
      {"ctr_auc", Auc(all.served, all.clicks)},
      {"offline_ctr_auc", Auc(all.offline, all.clicks)},
      {"requests", requests.size()},
      {"p50_milliseconds", load::Milliseconds(all.latencies.Quantile(0.5))},
      {"p99_milliseconds", load::Milliseconds(all.latencies.Quantile(0.99))},
      {"scores_per_second", static_cast<double>(all.served.size()) / seconds},
      {"defaults", all.defaults},
      {"model_version", all.model_version}};
  fmt::print(
      "{} scores of {} requests over gRPC: largest difference to the offline "
      "scores {:.2g}, AUC {:.6f} (offline {:.6f}), p50 {:.2f} ms\n",
      all.served.size(), requests.size(), all.max_abs_diff,
      json["ctr_auc"].get<double>(), json["offline_ctr_auc"].get<double>(),
      json["p50_milliseconds"].get<double>());
  return json;
}

}  // namespace larr::demo
