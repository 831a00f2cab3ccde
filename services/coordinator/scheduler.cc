// SPDX-License-Identifier: Apache-2.0
#include "services/coordinator/scheduler.h"

#include <fmt/format.h>
#include <google/protobuf/util/message_differencer.h>
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "common/base/utf8.h"

namespace larr {
namespace {

using config::v1::StageConfig;
using coordinator::v1::StageProgress;
using coordinator::v1::StageRun;
using coordinator::v1::TrainingRun;

// Index of the first stage in `state`; -1 if there is none.
int IndexOf(const TrainingRun& run, StageRun::State state) {
  for (int i = 0; i < run.stages_size(); ++i) {
    if (run.stages(i).state() == state) return i;
  }
  return -1;
}

Slot SlotOf(const StageRun& stage) {
  return stage.has_gpu() ? Slot{stage.gpu()} : Slot{};
}

bool IsOlder(const TrainingRun& a, const TrainingRun& b) {
  const auto order = [](const TrainingRun& run) {
    return std::make_tuple(run.create_time().seconds(),
                           run.create_time().nanos(), run.name());
  };
  return order(a) < order(b);
}

void Finish(TrainingRun& run, TrainingRun::State state, absl::Time now) {
  run.set_state(state);
  run.clear_cancel_requested();
  *run.mutable_end_time() = ToTimestamp(now);
}

void FinishStage(StageRun& stage, StageRun::State state, absl::Time now) {
  stage.set_state(state);
  stage.clear_gpu();
  *stage.mutable_end_time() = ToTimestamp(now);
}

void Fail(TrainingRun& run, StageRun& stage, std::string_view said,
          absl::Time now) {
  FinishStage(stage, StageRun::FAILED, now);
  // A record that is not UTF-8 could be stored and never read again.
  const std::string message = ReplaceMalformedUtf8(said);
  stage.set_error_message(message);
  run.set_error_message(
      fmt::format("stage {} failed: {}; remove the cause, then resume the run",
                  stage.id(), message));
  Finish(run, TrainingRun::FAILED, now);
}

}  // namespace

Scheduler::Scheduler(const SchedulerOptions& options)
    : max_stage_restarts_(options.max_stage_restarts),
      slots_(options.cpu_slots, options.gpus) {}

Decisions Scheduler::Restore(std::vector<TrainingRun> runs, absl::Time now) {
  std::sort(runs.begin(), runs.end(), IsOlder);
  runs_ = std::move(runs);
  Decisions found;
  for (const TrainingRun& run : runs_) {
    const StageRun* running = RunningStage(run);
    if (running == nullptr) continue;
    slots_.Occupy(SlotOf(*running));
    found.starts.push_back({run.name(), running->id()});
    if (run.cancel_requested()) {
      found.stops.push_back({run.name(), running->id()});
    }
  }
  Decisions decisions = Conclude({}, now);
  decisions.starts.insert(decisions.starts.begin(), found.starts.begin(),
                          found.starts.end());
  decisions.stops = std::move(found.stops);
  return decisions;
}

void Scheduler::Insert(TrainingRun run) {
  const auto place = std::upper_bound(runs_.begin(), runs_.end(), run, IsOlder);
  runs_.insert(place, std::move(run));
}

Decisions Scheduler::Add(TrainingRun run, absl::Time now) {
  if (Find(run.name()) != nullptr) return {};
  run.set_state(TrainingRun::QUEUED);
  for (StageRun& stage : *run.mutable_stages()) {
    stage.set_state(StageRun::PENDING);
  }
  const std::string name = run.name();
  Insert(std::move(run));
  return Conclude({name}, now);
}

Decisions Scheduler::Resume(TrainingRun run, absl::Time now) {
  if (Find(run.name()) != nullptr || !IsFinished(run) ||
      run.state() == TrainingRun::SUCCEEDED) {
    return {};
  }
  run.set_state(TrainingRun::QUEUED);
  run.clear_error_message();
  run.clear_end_time();
  for (StageRun& stage : *run.mutable_stages()) {
    if (stage.state() == StageRun::SUCCEEDED) continue;
    stage.set_state(StageRun::PENDING);
    stage.set_restarts(0);
    stage.set_losses(0);
    stage.clear_error_message();
    stage.clear_start_time();
    stage.clear_end_time();
  }
  const std::string name = run.name();
  Insert(std::move(run));
  return Conclude({name}, now);
}

Decisions Scheduler::Cancel(std::string_view name, absl::Time now) {
  TrainingRun* run = Mutable(name);
  if (run == nullptr || run->cancel_requested()) return {};
  const std::string run_name = run->name();
  if (const StageRun* running = RunningStage(*run)) {
    run->set_cancel_requested(true);
    const StageKey key{run_name, running->id()};
    Decisions decisions = Conclude({run_name}, now);
    decisions.stops.push_back(key);
    return decisions;
  }
  const int next = IndexOf(*run, StageRun::PENDING);
  if (next >= 0) {
    FinishStage(*run->mutable_stages(next), StageRun::CANCELLED, now);
  }
  Finish(*run, TrainingRun::CANCELLED, now);
  return Conclude({run_name}, now);
}

Decisions Scheduler::OnStageExit(const StageExit& exit, absl::Time now) {
  TrainingRun* run = Mutable(exit.key.run);
  if (run == nullptr) return {};
  const int index = IndexOf(*run, StageRun::RUNNING);
  if (index < 0 || run->stages(index).id() != exit.key.stage) return {};
  StageRun& stage = *run->mutable_stages(index);
  slots_.Release(SlotOf(stage));

  if (run->cancel_requested()) {
    FinishStage(stage, StageRun::CANCELLED, now);
    Finish(*run, TrainingRun::CANCELLED, now);
  } else if (exit.outcome == StageOutcome::kSucceeded) {
    FinishStage(stage, StageRun::SUCCEEDED, now);
    stage.set_artifact_path(exit.artifact_path);
    stage.set_shared_from(exit.shared_from);
    if (index + 1 == run->stages_size()) {
      Finish(*run, TrainingRun::SUCCEEDED, now);
    }
  } else if (exit.outcome == StageOutcome::kFailed) {
    Fail(*run, stage, exit.message, now);
  } else {
    const bool lost = exit.outcome == StageOutcome::kLost;
    const int before = lost ? stage.losses() : stage.restarts();
    if (before < (lost ? kMostLosses : max_stage_restarts_)) {
      lost ? stage.set_losses(before + 1) : stage.set_restarts(before + 1);
      stage.set_state(StageRun::PENDING);
      stage.clear_gpu();
    } else {
      Fail(*run, stage,
           fmt::format("it died {} times, the last time: {}", before + 1,
                       exit.message),
           now);
    }
  }
  return Conclude({exit.key.run}, now);
}

bool Scheduler::SetProgress(const StageKey& key,
                            const StageProgress& progress) {
  TrainingRun* run = Mutable(key.run);
  if (run == nullptr) return false;
  const int index = IndexOf(*run, StageRun::RUNNING);
  if (index < 0 || run->stages(index).id() != key.stage) return false;
  StageProgress& known = *run->mutable_stages(index)->mutable_progress();
  if (google::protobuf::util::MessageDifferencer::Equals(known, progress)) {
    return false;
  }
  known = progress;
  return true;
}

const TrainingRun* Scheduler::Find(std::string_view name) const {
  for (const TrainingRun& run : runs_) {
    if (run.name() == name) return &run;
  }
  return nullptr;
}

TrainingRun* Scheduler::Mutable(std::string_view name) {
  return const_cast<TrainingRun*>(Find(name));
}

bool Scheduler::WantsGpu(const StageRun& stage) const {
  return slots_.has_gpus() && (stage.stage() == StageConfig::PRETRAIN ||
                               stage.stage() == StageConfig::CONTRAST ||
                               stage.stage() == StageConfig::EMBED);
}

Decisions Scheduler::Conclude(std::vector<std::string> changed,
                              absl::Time now) {
  Decisions decisions;
  for (TrainingRun& run : runs_) {
    if (IsFinished(run) || RunningStage(run) != nullptr) continue;
    const int next = IndexOf(run, StageRun::PENDING);
    if (next < 0) continue;
    StageRun& stage = *run.mutable_stages(next);
    const std::optional<Slot> slot = slots_.Reserve(WantsGpu(stage));
    if (!slot) continue;
    stage.set_state(StageRun::RUNNING);
    stage.set_attempts(stage.attempts() + 1);
    if (slot->gpu) stage.set_gpu(*slot->gpu);
    if (!stage.has_start_time()) {
      *stage.mutable_start_time() = ToTimestamp(now);
    }
    run.set_state(TrainingRun::RUNNING);
    decisions.starts.push_back({run.name(), stage.id()});
    changed.push_back(run.name());
  }
  for (const TrainingRun& run : runs_) {
    if (std::find(changed.begin(), changed.end(), run.name()) !=
        changed.end()) {
      decisions.changed.push_back(run);
    }
  }
  std::erase_if(runs_, IsFinished);
  return decisions;
}

bool IsFinished(const TrainingRun& run) {
  return run.state() == TrainingRun::SUCCEEDED ||
         run.state() == TrainingRun::FAILED ||
         run.state() == TrainingRun::CANCELLED;
}

const StageRun* RunningStage(const TrainingRun& run) {
  const int index = IndexOf(run, StageRun::RUNNING);
  return index < 0 ? nullptr : &run.stages(index);
}

const char* StageOutcomeName(StageOutcome outcome) {
  switch (outcome) {
    case StageOutcome::kSucceeded:
      return "succeeded";
    case StageOutcome::kFailed:
      return "failed";
    case StageOutcome::kLost:
      return "lost";
    case StageOutcome::kKilled:
      return "killed";
  }
  return "unknown";
}

google::protobuf::Timestamp ToTimestamp(absl::Time time) {
  return google::protobuf::util::TimeUtil::NanosecondsToTimestamp(
      absl::ToUnixNanos(time));
}

}  // namespace larr
