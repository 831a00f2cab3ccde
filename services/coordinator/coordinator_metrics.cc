// SPDX-License-Identifier: Apache-2.0
#include "services/coordinator/coordinator_metrics.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/time/clock.h"
#include "common/rpc/grpc_status.h"

namespace larr {
namespace {

using config::v1::StageConfig;
using coordinator::v1::StageRun;
using coordinator::v1::TrainingRun;

constexpr StageConfig::Stage kStages[] = {
    StageConfig::CORPUS, StageConfig::PRETRAIN, StageConfig::CONTRAST,
    StageConfig::EMBED,  StageConfig::ALIGN,    StageConfig::EVALUATE,
    StageConfig::PUBLISH};
constexpr StageOutcome kOutcomes[] = {
    StageOutcome::kSucceeded, StageOutcome::kFailed, StageOutcome::kKilled,
    StageOutcome::kLost};

std::string Name(StageConfig::Stage stage) {
  return absl::AsciiStrToLower(StageConfig::Stage_Name(stage));
}

std::string Name(TrainingRun::State state) {
  return absl::AsciiStrToLower(TrainingRun::State_Name(state));
}

// Seconds; from a publish stage to a week of training.
const prometheus::Histogram::BucketBoundaries& DurationBounds() {
  static const auto& bounds = *new prometheus::Histogram::BucketBoundaries{
      1, 10, 60, 300, 1800, 3600, 4 * 3600, 12 * 3600, 86'400, 7 * 86'400};
  return bounds;
}

}  // namespace

CoordinatorMetrics::CoordinatorMetrics(prometheus::Registry& registry)
    : store_errors(prometheus::BuildCounter()
                       .Name("larr_coordinator_store_errors_total")
                       .Help("Failed writes to the run database.")
                       .Register(registry)
                       .Add({})),
      alias_file_errors(
          prometheus::BuildCounter()
              .Name("larr_coordinator_alias_file_errors_total")
              .Help(
                  "Tries at which an alias file could not be read or written.")
              .Register(registry)
              .Add({})),
      runs_(prometheus::BuildGauge()
                .Name("larr_coordinator_live_runs")
                .Help("Runs that are not finished, by state.")
                .Register(registry)),
      queued_runs_(runs_.Add({{"state", "queued"}})),
      running_runs_(runs_.Add({{"state", "running"}})),
      runs_finished_(prometheus::BuildCounter()
                         .Name("larr_coordinator_runs_finished_total")
                         .Help("Runs that reached a terminal state.")
                         .Register(registry)),
      free_slots_(prometheus::BuildGauge()
                      .Name("larr_coordinator_free_slots")
                      .Help("Slots that no stage holds, by kind.")
                      .Register(registry)),
      free_cpu_slots_(free_slots_.Add({{"kind", "cpu"}})),
      free_gpus_(free_slots_.Add({{"kind", "gpu"}})),
      requests_(prometheus::BuildCounter()
                    .Name("larr_coordinator_requests_total")
                    .Help("Answered calls, by method and status code.")
                    .Register(registry)),
      stage_exits_(prometheus::BuildCounter()
                       .Name("larr_coordinator_stage_exits_total")
                       .Help("Processes of stages that ended, by outcome.")
                       .Register(registry)),
      stage_last_success_(
          prometheus::BuildGauge()
              .Name("larr_coordinator_stage_last_success_timestamp_seconds")
              .Help("Unix time at which a stage of the kind last succeeded.")
              .Register(registry)),
      stage_duration_(
          prometheus::BuildHistogram()
              .Name("larr_coordinator_stage_duration_seconds")
              .Help("First start to success of a stage, over its restarts.")
              .Register(registry)) {
  // Exported from the start, so that a rate has a zero to grow from.
  for (const StageConfig::Stage stage : kStages) {
    for (const StageOutcome outcome : kOutcomes) {
      stage_exits_.Add(
          {{"stage", Name(stage)}, {"outcome", StageOutcomeName(outcome)}});
    }
    stage_duration_.Add({{"stage", Name(stage)}}, DurationBounds());
  }
  for (const auto state :
       {TrainingRun::SUCCEEDED, TrainingRun::FAILED, TrainingRun::CANCELLED}) {
    runs_finished_.Add({{"state", Name(state)}});
  }
}

void CoordinatorMetrics::Restore(const std::vector<TrainingRun>& runs) {
  // The clock may have been set back since.
  const int64_t now = absl::ToUnixSeconds(absl::Now());
  for (const TrainingRun& run : runs) {
    for (const StageRun& stage : run.stages()) {
      if (stage.state() != StageRun::SUCCEEDED) continue;
      auto& last = stage_last_success_.Add({{"stage", Name(stage.stage())}});
      last.Set(std::max(last.Value(), static_cast<double>(std::min(
                                          stage.end_time().seconds(), now))));
    }
  }
}

void CoordinatorMetrics::ObserveState(const Scheduler& scheduler) {
  int queued = 0, running = 0;
  for (const TrainingRun& run : scheduler.live_runs()) {
    ++(run.state() == TrainingRun::QUEUED ? queued : running);
  }
  queued_runs_.Set(queued);
  running_runs_.Set(running);
  free_cpu_slots_.Set(scheduler.slots().free_cpu_slots());
  free_gpus_.Set(scheduler.slots().free_gpus());
}

void CoordinatorMetrics::CountExit(const StageRun& stage, StageOutcome outcome,
                                   absl::Time now) {
  const std::string name = Name(stage.stage());
  stage_exits_.Add({{"stage", name}, {"outcome", StageOutcomeName(outcome)}})
      .Increment();
  if (outcome != StageOutcome::kSucceeded) return;
  const auto seconds = static_cast<double>(absl::ToUnixSeconds(now));
  stage_last_success_.Add({{"stage", name}}).Set(seconds);
  stage_duration_.Add({{"stage", name}}, DurationBounds())
      .Observe(seconds - static_cast<double>(stage.start_time().seconds()));
}

grpc::Status CoordinatorMetrics::Answer(const char* method,
                                        const absl::Status& status) {
  requests_
      .Add({{"method", method},
            {"code", absl::StatusCodeToString(status.code())}})
      .Increment();
  return ToGrpc(status);
}

void CoordinatorMetrics::CountFinished(const TrainingRun& run) {
  runs_finished_.Add({{"state", Name(run.state())}}).Increment();
}

}  // namespace larr
