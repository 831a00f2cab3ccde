// SPDX-License-Identifier: Apache-2.0
#include "tools/larrctl/experiment_run.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <map>
#include <set>
#include <thread>

#include "common/base/status_macros.h"
#include "larr/coordinator/v1/coordinator_service.grpc.pb.h"
#include "tools/experiment/numbers.h"
#include "tools/experiment/results.h"
#include "tools/experiment/shard_digest.h"
#include "tools/experiment/shard_result.h"
#include "tools/experiment/work_folders.h"
#include "tools/larrctl/city_recall.h"
#include "tools/larrctl/names.h"
#include "tools/larrctl/progress_view.h"
#include "tools/larrctl/service_client.h"

namespace larr::ctl {
namespace {

using namespace coordinator::v1;  // NOLINT: one service's messages
using experiment::Json;
using experiment::Results;
using experiment::Shard;
using experiment::ShardDigest;
using RunClient = ServiceClient<CoordinatorService, Server::kCoordinator>;
using Stub = CoordinatorService::Stub;

constexpr char kCollection[] = "trainingRuns";
constexpr auto kPoll = std::chrono::milliseconds(300);

volatile sig_atomic_t interrupted = 0;

// While it lives, SIGINT and SIGTERM set `interrupted`.
class Interrupts {
 public:
  Interrupts() {
    struct sigaction action = {};
    action.sa_handler = [](int) { interrupted = 1; };
    sigaction(SIGINT, &action, &interrupt_);
    sigaction(SIGTERM, &action, &terminate_);
  }
  ~Interrupts() {
    sigaction(SIGINT, &interrupt_, nullptr);
    sigaction(SIGTERM, &terminate_, nullptr);
  }

 private:
  struct sigaction interrupt_ = {}, terminate_ = {};
};

bool IsOver(const TrainingRun& run) {
  return run.state() != TrainingRun::QUEUED &&
         run.state() != TrainingRun::RUNNING;
}

// A shard that is to be run.
struct Work {
  const Shard* shard;
  ShardDigest digest;
};

class Runner {
 public:
  Runner(const Session& session, const ExperimentRunOptions& options,
         Results results)
      : client_(session),
        session_(session),
        options_(options),
        results_(std::move(results)) {}

  // Runs what has no result yet.
  absl::Status Run(const std::vector<Shard>& shards);

 private:
  std::vector<Work> Missing(const std::vector<Shard>& shards);
  // Tells of a shard that cannot be run; the others can.
  void Fail(const Shard& shard, const absl::Status& status);
  void Announce(size_t at, const std::vector<Work>& work) const;
  // Runs one shard and keeps its result.
  absl::Status RunOne(const Work& work);
  // Creates the run, or takes it up again.
  absl::StatusOr<TrainingRun> Begin(const Work& work);
  absl::StatusOr<TrainingRun> Watch(TrainingRun run);
  absl::Status Cancel(TrainingRun run);
  // The case study, once for each language model.
  absl::Status AddRecall(const TrainingRun& run, const ShardDigest& digest,
                         Json& result);
  absl::StatusOr<TrainingRun> Get(const std::string& name) {
    return client_.Call(&Stub::GetTrainingRun,
                        Named<GetTrainingRunRequest>(kCollection, name));
  }

  const RunClient client_;
  const Session& session_;
  const ExperimentRunOptions& options_;
  Results results_;
  std::map<std::string, Json> recall_;  // by ShardDigest.texts
  int failed_ = 0;                      // shards
};

void Runner::Fail(const Shard& shard, const absl::Status& status) {
  ++failed_;
  fmt::print("failed: {} seed {}: {}\n", shard.arm, shard.seed,
             std::string(status.message()));
}

std::vector<Work> Runner::Missing(const std::vector<Shard>& shards) {
  experiment::ShardDigests digests(options_.folder);
  std::vector<Work> missing;
  std::set<std::string> seen;  // Experiments share shards.
  size_t done = 0;
  for (const Shard& shard : shards) {
    auto digest = digests.Of(shard);
    if (!digest.ok()) {
      Fail(shard, digest.status());
    } else if (!seen.insert(digest->digest).second) {
      continue;
    } else if (results_.FindDigest(digest->digest) != nullptr) {
      ++done;
    } else {
      missing.push_back({&shard, *std::move(digest)});
    }
  }
  fmt::print("{} shards: {} done already, {} to run\n", done + missing.size(),
             done, missing.size());
  return missing;
}

void Runner::Announce(size_t at, const std::vector<Work>& work) const {
  std::vector<Shard> left;
  std::vector<std::string> texts;
  for (size_t i = at; i < work.size(); ++i) {
    left.push_back(*work[i].shard);
    texts.push_back(work[i].digest.texts);
  }
  const double seconds = results_.EstimateSeconds(left, texts);
  fmt::print("== {}/{} {} seed {} ({}){}\n", at + 1, work.size(),
             work[at].shard->arm, work[at].shard->seed,
             experiment::RunId(work[at].digest),
             seconds < 0 ? ""
                         : fmt::format(", about {} left in all",
                                       experiment::TimeText(seconds)));
  std::fflush(stdout);
}

absl::StatusOr<TrainingRun> Runner::Begin(const Work& work) {
  CreateTrainingRunRequest request;
  request.set_training_run_id(experiment::RunId(work.digest));
  *request.mutable_training_run()->mutable_spec() =
      experiment::Resolve(work.shard->settings, options_.folder);
  auto created = client_.Call(&Stub::CreateTrainingRun, request);
  if (absl::IsAlreadyExists(created.status()))
    return absl::FailedPreconditionError(fmt::format(
        "{} was made from data or a language model in another place: use "
        "another coordinator, with a state and artifacts of its own",
        experiment::RunId(work.digest)));
  LARR_ASSIGN_OR_RETURN(TrainingRun run, std::move(created));
  // An earlier call was killed while it stopped the stages.
  while (run.cancel_requested() && !IsOver(run)) {
    if (interrupted) return absl::CancelledError("interrupted");
    std::this_thread::sleep_for(kPoll);
    LARR_ASSIGN_OR_RETURN(run, Get(run.name()));
  }
  if (run.state() != TrainingRun::FAILED &&
      run.state() != TrainingRun::CANCELLED)
    return run;
  return client_.Call(&Stub::ResumeTrainingRun,
                      Named<ResumeTrainingRunRequest>(kCollection, run.name()));
}

absl::Status Runner::Cancel(TrainingRun run) {
  fmt::print("interrupted: waiting for the stage to stop\n");
  std::fflush(stdout);
  const std::string name = run.name();
  LARR_ASSIGN_OR_RETURN(
      run, client_.Call(&Stub::CancelTrainingRun,
                        Named<CancelTrainingRunRequest>(kCollection, name)));
  while (!IsOver(run)) {
    std::this_thread::sleep_for(kPoll);
    LARR_ASSIGN_OR_RETURN(run, Get(name));
  }
  return absl::CancelledError("interrupted");
}

absl::StatusOr<TrainingRun> Runner::Watch(TrainingRun run) {
  ProgressView view(stdout, isatty(STDOUT_FILENO));
  while (true) {
    if (!session_.json) view.Update(ToProgress(run));
    if (IsOver(run)) return run;
    if (interrupted) return Cancel(std::move(run));
    std::this_thread::sleep_for(kPoll);
    LARR_ASSIGN_OR_RETURN(run, Get(run.name()));
  }
}

absl::Status Runner::AddRecall(const TrainingRun& run,
                               const ShardDigest& digest, Json& result) {
  if (!recall_.contains(digest.texts)) {
    LARR_ASSIGN_OR_RETURN(recall_[digest.texts], CityRecall(run));
  }
  if (!recall_[digest.texts].is_null())
    result["recall"] = recall_[digest.texts];
  return absl::OkStatus();
}

absl::Status Runner::RunOne(const Work& work) {
  LARR_ASSIGN_OR_RETURN(TrainingRun run, Begin(work));
  LARR_ASSIGN_OR_RETURN(run, Watch(std::move(run)));
  if (run.state() != TrainingRun::SUCCEEDED)
    return absl::AbortedError(
        fmt::format("{} {}", run.name(),
                    run.state() == TrainingRun::CANCELLED
                        ? "was cancelled by someone else"
                        : "failed: " + run.error_message()));
  LARR_ASSIGN_OR_RETURN(Json result,
                        experiment::MakeShardResult(*work.shard, work.digest,
                                                    options_.size, run));
  LARR_RETURN_IF_ERROR(AddRecall(run, work.digest, result));
  LARR_RETURN_IF_ERROR(results_.Add(result));
  experiment::EmptyWorkFolders(run);
  return absl::OkStatus();
}

absl::Status Runner::Run(const std::vector<Shard>& shards) {
  const std::vector<Work> work = Missing(shards);
  for (size_t i = 0; i < work.size(); ++i) {
    if (interrupted) return absl::CancelledError("interrupted");
    Announce(i, work);
    const absl::Status status = RunOne(work[i]);
    // Nothing more can be run.
    if (absl::IsCancelled(status) || absl::IsUnavailable(status) ||
        absl::IsUnauthenticated(status) || absl::IsPermissionDenied(status))
      return status;
    if (!status.ok()) Fail(*work[i].shard, status);
  }
  if (failed_ == 0) return absl::OkStatus();
  return absl::AbortedError(
      fmt::format("{} shards failed; the others are done. When the cause is "
                  "gone, the same command takes them up again",
                  failed_));
}

}  // namespace

absl::Status RunShards(const Session& session,
                       const ExperimentRunOptions& options,
                       const std::vector<Shard>& shards) {
  LARR_ASSIGN_OR_RETURN(Results results, Results::Read(options.results));
  const Interrupts interrupts;
  interrupted = 0;
  Runner runner(session, options, std::move(results));
  return runner.Run(shards);
}

}  // namespace larr::ctl
