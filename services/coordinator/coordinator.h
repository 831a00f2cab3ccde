// SPDX-License-Identifier: Apache-2.0
//
// The Coordinator joins the parts: events of callers and of the executor go
// into the Scheduler, its decisions into the RunStore, and only then to the
// Executor. So what a caller was told, and what runs, is always on disk.
//
// Callers' methods decide and store; `Step`, called again and again by one
// thread, reports ended stages and starts and stops processes.
//
// Ownership:  what the constructor is given must outlive it.
// Threads:    safe; `Step` from one thread.
// Errors:     those of the run store, and as stated.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "larr/coordinator/v1/coordinator_service.pb.h"
#include "services/coordinator/coordinator_metrics.h"
#include "services/coordinator/executor.h"
#include "services/coordinator/registry.h"
#include "services/coordinator/run_store.h"
#include "services/coordinator/scheduler.h"

namespace larr {

struct CoordinatorOptions {
  std::filesystem::path artifact_root;
  SchedulerOptions scheduler;
};

// What a coordinator works with.
struct CoordinatorParts {
  RunStore& store;
  Registry& registry;
  Executor& executor;
  CoordinatorMetrics& metrics;
};

class Coordinator {
 public:
  // Takes up the unfinished runs of the store.
  static absl::StatusOr<std::unique_ptr<Coordinator>> Open(
      const CoordinatorOptions& options, const CoordinatorParts& parts);

  // Queues a run. An empty id is replaced by one made of the time.
  // Errors: kInvalidArgument  the id or the spec; see training_plan.h
  //         kAlreadyExists    the id exists with another spec
  absl::StatusOr<coordinator::v1::TrainingRun> CreateRun(
      std::string id, const config::v1::TrainingSpec& spec);

  // kNotFound if it never existed; so do all that name a run.
  absl::StatusOr<coordinator::v1::TrainingRun> GetRun(
      const std::string& name) const;
  absl::StatusOr<RunStorePage<coordinator::v1::TrainingRun>> ListRuns(
      int page_size, const std::string& page_token) const;

  // A finished run stays as it is.
  absl::StatusOr<coordinator::v1::TrainingRun> CancelRun(
      const std::string& name);

  // A live run stays as it is. Finished stages whose artifact is gone are
  // done again.
  // Errors: kFailedPrecondition  the run succeeded
  absl::StatusOr<coordinator::v1::TrainingRun> ResumeRun(
      const std::string& name);

  // Does what is due; never waits long.
  void Step();

  // Waits until something changed after change number `seen`, or for
  // `timeout`. Returns the present change number.
  int64_t WaitForChange(int64_t seen, absl::Duration timeout) const;
  // Lets `Step`'s thread sleep until there is something to decide upon.
  void WaitForWork(absl::Duration timeout) const;

  const std::filesystem::path& artifact_root() const {
    return options_.artifact_root;
  }

 private:
  using Clock = std::chrono::steady_clock;

  Coordinator(const CoordinatorOptions& options, const CoordinatorParts& parts);

  // Makes `next` the present state, and its decisions work to do.
  void Accept(Scheduler next, const Decisions& decisions)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status StoreAndAccept(Scheduler next, const Decisions& decisions)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Stores the ends of stages. What cannot be stored is tried again later.
  void ReportEnds() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Report(StageExit exit) ABSL_LOCKS_EXCLUDED(mutex_);
  // Stores the end of a publish stage and what follows from its decision, and
  // returns true; or, if the decision cannot be used, turns `exit` into what is
  // to be stored instead, and returns false.
  absl::StatusOr<bool> Publish(StageExit& exit)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<StageLaunch> PlanLaunch(const StageKey& key) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  void SyncAliasFiles();
  void ReadProgress() ABSL_LOCKS_EXCLUDED(mutex_);

  const CoordinatorOptions options_;
  const CoordinatorParts parts_;

  mutable absl::Mutex mutex_;
  Scheduler scheduler_ ABSL_GUARDED_BY(mutex_);
  std::vector<StageKey> starts_ ABSL_GUARDED_BY(mutex_);
  std::vector<StageKey> stops_ ABSL_GUARDED_BY(mutex_);
  int64_t changes_ ABSL_GUARDED_BY(mutex_) = 1;

  // What follows is of Step's thread. Stages that could not be started:
  std::vector<StageExit> failed_starts_;
  // When Step looks at ended stages, and at progress and alias files, again.
  Clock::time_point next_report_, next_progress_;
  absl::Status alias_files_;  // What writing them said last.
};

// The last whole line of a stage's `progress.jsonl`; zeros if there is none.
coordinator::v1::StageProgress ReadStageProgress(
    const std::filesystem::path& work_folder);

}  // namespace larr
