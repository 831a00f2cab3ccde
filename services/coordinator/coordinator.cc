// SPDX-License-Identifier: Apache-2.0
#include "services/coordinator/coordinator.h"

#include <fmt/format.h>
#include <google/protobuf/util/message_differencer.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/time/clock.h"
#include "common/base/artifact_folder.h"
#include "common/base/files.h"
#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/config/stage_files.h"
#include "common/config/stage_inputs.h"
#include "common/config/text_proto.h"
#include "common/rpc/resource_requests.h"
#include "services/coordinator/training_plan.h"

namespace larr {
namespace {

using config::v1::PublishDecision;
using config::v1::StageConfig;
using config::v1::TrainingSpec;
using coordinator::v1::StageProgress;
using coordinator::v1::StageRun;
using coordinator::v1::TrainingRun;
using google::protobuf::util::MessageDifferencer;

constexpr std::chrono::milliseconds kProgressInterval(300);
// Between tries to store the end of a stage, each of which says so in the log.
constexpr std::chrono::seconds kStoreRetryInterval(5);
constexpr char kRuns[] = "trainingRuns/";

const StageRun* FindStage(const TrainingRun& run, const std::string& id) {
  for (const StageRun& stage : run.stages()) {
    if (stage.id() == id) return &stage;
  }
  return nullptr;
}

std::string IdOfNow() {
  std::string id = "run-" + absl::FormatTime("%Y%m%d-%H%M%E3S", absl::Now(),
                                             absl::UTCTimeZone());
  std::replace(id.begin(), id.end(), '.', '-');
  return id;
}

// A run that the database does not know has no folder, unless the database was
// lost: what lies there may be of other settings.
absl::Status CheckNoFolder(const std::filesystem::path& artifact_root,
                           const std::string& run) {
  const auto folder = RunFolder(artifact_root, run);
  std::error_code error;
  if (!std::filesystem::exists(folder, error)) return absl::OkStatus();
  return absl::AlreadyExistsError(fmt::format(
      "{} is not known, but its folder {} is there, of an earlier database; "
      "choose another id, or remove the folder",
      run, folder.string()));
}

// Finished stages from the first one on whose artifact is gone are pending.
void ForgetLostArtifacts(TrainingRun& run) {
  bool lost = false;
  for (StageRun& stage : *run.mutable_stages()) {
    lost |= stage.state() == StageRun::SUCCEEDED &&
            !ReadArtifact(stage.artifact_path()).ok();
    if (!lost) continue;
    stage.set_state(StageRun::PENDING);
    stage.clear_artifact_path();
    stage.clear_shared_from();
  }
}

// The run whose artifact a stage shares; empty if it made its own.
std::string ReadSharedFrom(const std::filesystem::path& artifact_root,
                           const std::filesystem::path& work_folder) {
  const auto folder = ReadFile(work_folder / kSharedFromFile);
  return folder.ok() ? RunOfFolder(artifact_root, *folder) : "";
}

}  // namespace

Coordinator::Coordinator(const CoordinatorOptions& options,
                         const CoordinatorParts& parts)
    : options_(options), parts_(parts), scheduler_(options.scheduler) {}

absl::StatusOr<std::unique_ptr<Coordinator>> Coordinator::Open(
    const CoordinatorOptions& options, const CoordinatorParts& parts) {
  std::unique_ptr<Coordinator> self(new Coordinator(options, parts));
  LARR_ASSIGN_OR_RETURN(auto live, parts.store.LiveRuns());
  LARR_ASSIGN_OR_RETURN(const auto runs, parts.store.ListRuns(-1, ""));
  parts.metrics.Restore(runs.items);
  const absl::MutexLock lock(&self->mutex_);
  Scheduler next(options.scheduler);
  const Decisions decisions = next.Restore(std::move(live), absl::Now());
  spdlog::info("restored live_runs={} running_stages={}",
               next.live_runs().size(), decisions.starts.size());
  LARR_RETURN_IF_ERROR(self->StoreAndAccept(std::move(next), decisions));
  return self;
}

void Coordinator::Accept(Scheduler next, const Decisions& decisions) {
  scheduler_ = std::move(next);
  starts_.insert(starts_.end(), decisions.starts.begin(),
                 decisions.starts.end());
  stops_.insert(stops_.end(), decisions.stops.begin(), decisions.stops.end());
  for (const TrainingRun& run : decisions.changed) {
    if (!IsFinished(run)) continue;
    parts_.metrics.CountFinished(run);
    spdlog::info("run_finished run={} state={} version={} error={}", run.name(),
                 TrainingRun::State_Name(run.state()), run.model_version(),
                 run.error_message());
  }
  parts_.metrics.ObserveState(scheduler_);
  ++changes_;
}

absl::Status Coordinator::StoreAndAccept(Scheduler next,
                                         const Decisions& decisions) {
  if (!decisions.changed.empty()) {
    const absl::Status stored = parts_.store.Commit({decisions.changed});
    if (!stored.ok()) {
      parts_.metrics.store_errors.Increment();
      return stored;
    }
  }
  Accept(std::move(next), decisions);
  return absl::OkStatus();
}

absl::StatusOr<TrainingRun> Coordinator::CreateRun(std::string id,
                                                   const TrainingSpec& spec) {
  const absl::MutexLock lock(&mutex_);
  // Another run may be of the same millisecond.
  const bool chosen = id.empty();
  while (id.empty() || (chosen && parts_.store.GetRun(kRuns + id).ok()))
    id = IdOfNow();
  LARR_RETURN_IF_ERROR(CheckId("training_run_id", id));
  const std::string name = kRuns + id;
  const auto existing = parts_.store.GetRun(name);
  if (existing.ok()) {
    if (MessageDifferencer::Equals(existing->spec(), spec)) return existing;
    return absl::AlreadyExistsError(fmt::format(
        "{} exists with another spec; choose another id, or repeat its spec",
        name));
  }
  if (!absl::IsNotFound(existing.status())) return existing.status();
  LARR_ASSIGN_OR_RETURN(const std::string model, ValidateTrainingSpec(spec));
  LARR_RETURN_IF_ERROR(CheckNoFolder(options_.artifact_root, name));

  TrainingRun run;
  run.set_name(name);
  *run.mutable_spec() = spec;
  run.set_model(model);
  for (const StageRun& stage : PlanStages(spec)) *run.add_stages() = stage;
  const absl::Time now = absl::Now();
  *run.mutable_create_time() = ToTimestamp(now);
  Scheduler next = scheduler_;
  const Decisions decisions = next.Add(std::move(run), now);
  LARR_RETURN_IF_ERROR(StoreAndAccept(std::move(next), decisions));
  spdlog::info("run_created run={} model={}", name, model);
  return parts_.store.GetRun(name);
}

absl::StatusOr<TrainingRun> Coordinator::GetRun(const std::string& name) const {
  const absl::MutexLock lock(&mutex_);
  // Progress is newer in memory.
  if (const TrainingRun* live = scheduler_.Find(name)) return *live;
  if (!name.starts_with(kRuns)) {
    return Invalid("`{}` is not of the form {}{{training_run}}", name, kRuns);
  }
  return parts_.store.GetRun(name);
}

absl::StatusOr<RunStorePage<TrainingRun>> Coordinator::ListRuns(
    int page_size, const std::string& page_token) const {
  const absl::MutexLock lock(&mutex_);
  LARR_ASSIGN_OR_RETURN(auto page,
                        parts_.store.ListRuns(page_size, page_token));
  for (TrainingRun& run : page.items) {
    if (const TrainingRun* live = scheduler_.Find(run.name())) run = *live;
  }
  return page;
}

absl::StatusOr<TrainingRun> Coordinator::CancelRun(const std::string& name) {
  LARR_RETURN_IF_ERROR(GetRun(name).status());
  const absl::MutexLock lock(&mutex_);
  Scheduler next = scheduler_;
  const Decisions decisions = next.Cancel(name, absl::Now());
  LARR_RETURN_IF_ERROR(StoreAndAccept(std::move(next), decisions));
  return parts_.store.GetRun(name);
}

absl::StatusOr<TrainingRun> Coordinator::ResumeRun(const std::string& name) {
  LARR_RETURN_IF_ERROR(GetRun(name).status());
  const absl::MutexLock lock(&mutex_);
  if (const TrainingRun* live = scheduler_.Find(name)) {
    if (!live->cancel_requested()) return *live;
    return absl::FailedPreconditionError(fmt::format(
        "{} is being cancelled; resume it when its stages have ended", name));
  }
  LARR_ASSIGN_OR_RETURN(TrainingRun run, parts_.store.GetRun(name));
  if (run.state() == TrainingRun::SUCCEEDED) {
    return absl::FailedPreconditionError(fmt::format(
        "{} succeeded already; create another run to train again", name));
  }
  ForgetLostArtifacts(run);
  Scheduler next = scheduler_;
  const Decisions decisions = next.Resume(std::move(run), absl::Now());
  LARR_RETURN_IF_ERROR(StoreAndAccept(std::move(next), decisions));
  return parts_.store.GetRun(name);
}

absl::Status Coordinator::Report(StageExit exit) {
  const absl::MutexLock lock(&mutex_);
  const TrainingRun* run = scheduler_.Find(exit.key.run);
  const StageRun* stage = run ? FindStage(*run, exit.key.stage) : nullptr;
  if (stage == nullptr || stage->state() != StageRun::RUNNING) {
    return absl::OkStatus();
  }
  const StageRun ended = *stage;
  const bool cancelled = run->cancel_requested();
  const bool publishes = ended.stage() == StageConfig::PUBLISH &&
                         exit.outcome == StageOutcome::kSucceeded && !cancelled;
  const auto work =
      StageWorkFolder(options_.artifact_root, exit.key.run, exit.key.stage);
  scheduler_.SetProgress(exit.key, ReadStageProgress(work));
  exit.shared_from = ReadSharedFrom(options_.artifact_root, work);
  bool stored = false;
  if (publishes) {
    LARR_ASSIGN_OR_RETURN(stored, Publish(exit));
  }
  if (!stored) {
    Scheduler next = scheduler_;
    const Decisions decisions = next.OnStageExit(exit, absl::Now());
    LARR_RETURN_IF_ERROR(StoreAndAccept(std::move(next), decisions));
  }
  if (!cancelled) parts_.metrics.CountExit(ended, exit.outcome, absl::Now());
  spdlog::info(
      "stage_ended run={} stage={} attempt={} outcome={} shared_from={} "
      "message={}",
      exit.key.run, exit.key.stage, ended.attempts(),
      StageOutcomeName(exit.outcome), exit.shared_from, exit.message);
  return absl::OkStatus();
}

absl::StatusOr<bool> Coordinator::Publish(StageExit& exit) {
  const auto decision = LoadTextProto<PublishDecision>(
      std::filesystem::path(exit.artifact_path) / kDecisionFile);
  if (!decision.ok()) {
    exit.outcome = StageOutcome::kFailed;
    exit.message = std::string(decision.status().message());
    return false;
  }
  Scheduler next = scheduler_;
  Decisions decisions = next.OnStageExit(exit, absl::Now());
  const absl::Status status = parts_.registry.Publish(
      *decision, PublishAlias(scheduler_.Find(exit.key.run)->spec()),
      absl::Now(), exit.key.run, decisions.changed);
  if (absl::IsAborted(status)) {
    // The decision is stale. It goes, so that the next attempt decides anew.
    RemoveArtifact(exit.artifact_path);
    exit.outcome = StageOutcome::kKilled;
    exit.message = std::string(status.message());
    return false;
  }
  if (!status.ok()) {
    parts_.metrics.store_errors.Increment();
    return status;
  }
  // Whoever sees the run finished finds the alias's file in line; if that
  // fails now, Step tries again.
  SyncAliasFiles();
  Accept(std::move(next), decisions);
  return true;
}

absl::StatusOr<StageLaunch> Coordinator::PlanLaunch(const StageKey& key) const {
  const absl::MutexLock lock(&mutex_);
  const TrainingRun* run = scheduler_.Find(key.run);
  const StageRun* stage = run ? FindStage(*run, key.stage) : nullptr;
  if (stage == nullptr || stage->state() != StageRun::RUNNING) {
    return absl::NotFoundError("not to be started any more");
  }
  StageLaunch launch{.key = key, .attempt = stage->attempts()};
  if (stage->has_gpu()) launch.gpu = stage->gpu();
  launch.config = PlanStageConfig(*run, *stage, options_.artifact_root);
  if (stage->stage() == StageConfig::PUBLISH) {
    LARR_ASSIGN_OR_RETURN(
        const auto champion,
        parts_.registry.Resolve(run->model(), PublishAlias(run->spec())));
    launch.config.set_champion_fencing_token(champion.fencing_token);
    if (champion.fencing_token > 0) {
      auto& inputs = *launch.config.mutable_inputs();
      inputs[kChampionModelRole] = champion.version.model_path();
      inputs[kChampionSnapshotRole] = champion.version.snapshot_path();
    }
  }
  return launch;
}

void Coordinator::ReportEnds() {
  std::vector<StageExit> exits = parts_.executor.Poll();
  const size_t polled = exits.size();
  exits.insert(exits.end(), failed_starts_.begin(), failed_starts_.end());
  failed_starts_.clear();
  for (size_t i = 0; i < exits.size(); ++i) {
    const absl::Status status = Report(exits[i]);
    if (status.ok()) {
      if (i < polled) parts_.executor.Acknowledge(exits[i].key);
      continue;
    }
    if (i >= polled) failed_starts_.push_back(exits[i]);
    spdlog::error("stage_end_not_stored run={} stage={} error={}",
                  exits[i].key.run, exits[i].key.stage, status.ToString());
    next_report_ = Clock::now() + kStoreRetryInterval;
  }
}

void Coordinator::Step() {
  if (Clock::now() >= next_report_) ReportEnds();

  std::vector<StageKey> starts, stops;
  {
    const absl::MutexLock lock(&mutex_);
    starts.swap(starts_);
    stops.swap(stops_);
  }
  for (const StageKey& key : starts) {
    const auto launch = PlanLaunch(key);
    if (absl::IsNotFound(launch.status())) continue;
    const absl::Status status =
        launch.ok() ? parts_.executor.Start(*launch) : launch.status();
    if (status.ok()) continue;
    failed_starts_.push_back({.key = key,
                              .outcome = StageOutcome::kFailed,
                              .message = std::string(status.message())});
  }
  for (const StageKey& key : stops) parts_.executor.Stop(key);

  if (const auto now = Clock::now(); now >= next_progress_) {
    next_progress_ = now + kProgressInterval;
    ReadProgress();
    SyncAliasFiles();
  }
}

void Coordinator::SyncAliasFiles() {
  const absl::Status before =
      std::exchange(alias_files_, parts_.registry.SyncAliasFiles());
  if (alias_files_.ok()) return;
  parts_.metrics.alias_file_errors.Increment();
  if (alias_files_ != before)
    spdlog::warn("alias_files_not_written error={}", alias_files_.ToString());
}

void Coordinator::ReadProgress() {
  std::vector<StageKey> running;
  {
    const absl::MutexLock lock(&mutex_);
    for (const TrainingRun& run : scheduler_.live_runs()) {
      if (const StageRun* stage = RunningStage(run)) {
        running.push_back({run.name(), stage->id()});
      }
    }
  }
  for (const StageKey& key : running) {
    const StageProgress progress = ReadStageProgress(
        StageWorkFolder(options_.artifact_root, key.run, key.stage));
    const absl::MutexLock lock(&mutex_);
    if (scheduler_.SetProgress(key, progress)) ++changes_;
  }
}

int64_t Coordinator::WaitForChange(int64_t seen, absl::Duration timeout) const {
  const absl::MutexLock lock(&mutex_);
  const auto changed = [this, seen]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return changes_ != seen;
  };
  mutex_.AwaitWithTimeout(absl::Condition(&changed), timeout);
  return changes_;
}

void Coordinator::WaitForWork(absl::Duration timeout) const {
  const absl::MutexLock lock(&mutex_);
  const auto work = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return !starts_.empty() || !stops_.empty();
  };
  mutex_.AwaitWithTimeout(absl::Condition(&work), timeout);
}

StageProgress ReadStageProgress(const std::filesystem::path& work_folder) {
  constexpr int64_t kTail = 4096;
  StageProgress progress;
  std::ifstream in(work_folder / kProgressFile,
                   std::ios::binary | std::ios::ate);
  if (!in) return progress;
  const auto size = static_cast<int64_t>(in.tellg());
  in.seekg(std::max<int64_t>(0, size - kTail));
  nlohmann::json last;
  for (std::string line; std::getline(in, line) && !in.eof();) {
    auto json = nlohmann::json::parse(line, nullptr, false);
    if (json.is_object()) last = std::move(json);
  }
  if (!last.is_object()) return progress;
  const auto number = [&](const char* key) {
    const auto it = last.find(key);
    return it != last.end() && it->is_number() ? it->get<double>() : 0;
  };
  progress.set_step(static_cast<int64_t>(number("step")));
  progress.set_total_steps(static_cast<int64_t>(number("total")));
  progress.set_loss(number("loss"));
  progress.set_throughput(number("throughput"));
  progress.set_elapsed_seconds(number("elapsed"));
  if (const auto unit = last.find("unit");
      unit != last.end() && unit->is_string()) {
    progress.set_throughput_unit(unit->get<std::string>());
  }
  return progress;
}

}  // namespace larr
