// SPDX-License-Identifier: Apache-2.0
#include "tools/larrctl/experiment_run.h"

#include <fmt/format.h>

#include <map>
#include <set>

#include "common/base/status_macros.h"
#include "tools/experiment/results.h"
#include "tools/experiment/shard_digest.h"
#include "tools/experiment/shard_result.h"
#include "tools/experiment/work_folders.h"
#include "tools/larrctl/city_recall.h"
#include "tools/larrctl/training_run.h"
#include "tools/programs/interrupts.h"
#include "tools/report/numbers.h"

namespace larr::ctl {
namespace {

using coordinator::v1::TrainingRun;
using experiment::Json;
using experiment::Results;
using experiment::Shard;
using experiment::ShardDigest;

// A shard that is to be run.
struct Work {
  const Shard* shard;
  ShardDigest digest;
};

class Runner {
 public:
  Runner(const Session& session, const ExperimentRunOptions& options,
         Results results)
      : session_(session), options_(options), results_(std::move(results)) {}

  // Runs what has no result yet.
  absl::Status Run(const std::vector<Shard>& shards);

 private:
  std::vector<Work> Missing(const std::vector<Shard>& shards);
  // Tells of a shard that cannot be run; the others can.
  void Fail(const Shard& shard, const absl::Status& status);
  void Announce(size_t at, const std::vector<Work>& work) const;
  // Runs one shard and keeps its result.
  absl::Status RunOne(const Work& work);
  // The case study, once for each language model.
  absl::Status AddRecall(const TrainingRun& run, const ShardDigest& digest,
                         Json& result);

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
  fmt::print(
      "== {}/{} {} seed {} ({}){}\n", at + 1, work.size(), work[at].shard->arm,
      work[at].shard->seed, experiment::RunId(work[at].digest),
      seconds < 0
          ? ""
          : fmt::format(", about {} left in all", report::TimeText(seconds)));
  std::fflush(stdout);
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
  const std::string id = experiment::RunId(work.digest);
  const auto finished = FinishTrainingRun(
      session_, id, experiment::Resolve(work.shard->settings, options_.folder));
  if (absl::IsAlreadyExists(finished.status()))
    return absl::FailedPreconditionError(fmt::format(
        "{} was made from data or a language model in another place, or its "
        "folder is left from an earlier state ({}): use another coordinator, "
        "with a state and artifacts of its own",
        id, std::string(finished.status().message())));
  LARR_ASSIGN_OR_RETURN(const TrainingRun run, finished);
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
    LARR_RETURN_IF_ERROR(programs::CheckInterrupt());
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
  programs::CatchInterrupts();
  Runner runner(session, options, std::move(results));
  return runner.Run(shards);
}

}  // namespace larr::ctl
