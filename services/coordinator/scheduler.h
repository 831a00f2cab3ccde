// SPDX-License-Identifier: Apache-2.0
//
// The Scheduler decides which stage of which run runs when. It is a pure state
// machine: events go in, decisions come out; it has no threads, no clock and
// no files, so that every order of events can be tested in microseconds.
//
// It knows the live runs only: a run enters by `Add` or `Resume`, leaves with
// the decision that finishes it, and is then known to the run store alone.
//
//   run    QUEUED -> RUNNING -> SUCCEEDED | FAILED | CANCELLED
//   stage  PENDING -> RUNNING -> SUCCEEDED | FAILED | CANCELLED
//                  <- killed, at most max_stage_restarts times, or lost with
//                     the coordinator's container or machine, kMostLosses
//
// Invariants: (1) a run has at most one RUNNING stage, and all stages before
// it SUCCEEDED; (2) each RUNNING stage holds exactly one slot, and no slot is
// lent twice; (3) no stage that could start waits while its slot is free:
// older runs choose first, by the time of their creation, resumed or not.
//
// Ownership:  a value. A caller tries an event on a copy, stores the decision,
//             and keeps the copy once that is on disk.
// Threads:    not synchronised.
// Errors:     none; an event about an unknown run, or one that comes twice,
//             changes nothing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "larr/coordinator/v1/coordinator_service.pb.h"
#include "services/coordinator/slot_ledger.h"

namespace larr {

// One stage of one run.
struct StageKey {
  std::string run;    // `trainingRuns/{training_run}`
  std::string stage;  // `align/ple`
  auto operator<=>(const StageKey&) const = default;
};

// How a stage's process ended.
enum class StageOutcome {
  kSucceeded,  // Its artifact is there, of the present inputs.
  kFailed,     // It said why; starting it again would not help.
  kKilled,     // It did not come to an end of its own.
  kLost,       // The same, while the coordinator was away.
};

// `succeeded`, `failed`, `killed` or `lost`.
const char* StageOutcomeName(StageOutcome outcome);

// Restarts of a container are no fault of the stage, unless it is what brings
// the container down.
inline constexpr int kMostLosses = 20;

struct StageExit {
  StageKey key;
  StageOutcome outcome = StageOutcome::kFailed;
  std::string message;           // Why, unless it succeeded.
  std::string artifact_path;     // If it succeeded.
  std::string shared_from = {};  // The run whose artifact it then shares.
};

// What follows from an event, in the order of execution.
struct Decisions {
  // Runs as they are now: to be on disk before anything below is done.
  std::vector<coordinator::v1::TrainingRun> changed;
  // Stages to start, or to find again after a restart of the coordinator. The
  // run's record holds the GPU and the number of the attempt.
  std::vector<StageKey> starts;
  // Stages to terminate. Their slots stay lent until their exit is reported.
  std::vector<StageKey> stops;
};

struct SchedulerOptions {
  int cpu_slots = 1;
  std::vector<int> gpus;
  int max_stage_restarts = 3;
};

class Scheduler {
 public:
  explicit Scheduler(const SchedulerOptions& options);

  // Takes in the live runs of an earlier process. Their RUNNING stages keep
  // their slots and are among the starts.
  Decisions Restore(std::vector<coordinator::v1::TrainingRun> runs,
                    absl::Time now);

  // Queues a new run; sets the state of it and of its stages.
  Decisions Add(coordinator::v1::TrainingRun run, absl::Time now);

  // Queues a FAILED or CANCELLED run again, at its first unfinished stage and
  // with a fresh budget of restarts.
  Decisions Resume(coordinator::v1::TrainingRun run, absl::Time now);

  // A run without a process is CANCELLED at once, another one when its stage's
  // exit is reported, whatever the outcome.
  Decisions Cancel(std::string_view run, absl::Time now);

  Decisions OnStageExit(const StageExit& exit, absl::Time now);

  // Notes how far a RUNNING stage is; true if that is news. Reaches the disk
  // with the run's next change.
  bool SetProgress(const StageKey& key,
                   const coordinator::v1::StageProgress& progress);

  // Null if the run is not live. Valid until the next event.
  const coordinator::v1::TrainingRun* Find(std::string_view run) const;
  // Oldest first.
  const std::vector<coordinator::v1::TrainingRun>& live_runs() const {
    return runs_;
  }
  const SlotLedger& slots() const { return slots_; }

 private:
  bool WantsGpu(const coordinator::v1::StageRun& stage) const;
  coordinator::v1::TrainingRun* Mutable(std::string_view run);
  // Keeps `runs_` oldest first.
  void Insert(coordinator::v1::TrainingRun run);
  // Starts what fits, notes what changed, lets go of finished runs.
  Decisions Conclude(std::vector<std::string> changed, absl::Time now);

  int max_stage_restarts_;
  SlotLedger slots_;
  std::vector<coordinator::v1::TrainingRun> runs_;
};

bool IsFinished(const coordinator::v1::TrainingRun& run);

// The stage whose process lives; null if there is none.
const coordinator::v1::StageRun* RunningStage(
    const coordinator::v1::TrainingRun& run);

google::protobuf::Timestamp ToTimestamp(absl::Time time);

}  // namespace larr
