// SPDX-License-Identifier: Apache-2.0
//
// The coordinator's Prometheus metrics. `stage` is the kind of a stage
// (`align`), `outcome` and `state` are the enums' names in lower case.
//
// Threads:  safe.
#pragma once

#include <grpcpp/support/status.h>
#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/coordinator/scheduler.h"

namespace larr {

class CoordinatorMetrics {
 public:
  explicit CoordinatorMetrics(prometheus::Registry& registry);

  // Takes up what the runs of earlier processes say: when a stage of each kind
  // last succeeded.
  void Restore(const std::vector<coordinator::v1::TrainingRun>& runs);

  // Live runs by state, free slots.
  void ObserveState(const Scheduler& scheduler);
  void CountExit(const coordinator::v1::StageRun& stage, StageOutcome outcome,
                 absl::Time now);
  void CountFinished(const coordinator::v1::TrainingRun& run);

  // Counts the answer of a call, whose RPC's name is `method`, and gives it to
  // gRPC.
  grpc::Status Answer(const char* method, const absl::Status& status);

  // A write to the run database that failed, and will be tried again.
  prometheus::Counter& store_errors;
  // An alias file that could not be written, and will be tried again.
  prometheus::Counter& alias_file_errors;

 private:
  prometheus::Family<prometheus::Gauge>& runs_;
  prometheus::Gauge& queued_runs_;
  prometheus::Gauge& running_runs_;
  prometheus::Family<prometheus::Counter>& runs_finished_;
  prometheus::Family<prometheus::Gauge>& free_slots_;
  prometheus::Gauge& free_cpu_slots_;
  prometheus::Gauge& free_gpus_;
  prometheus::Family<prometheus::Counter>& requests_;
  prometheus::Family<prometheus::Counter>& stage_exits_;
  prometheus::Family<prometheus::Gauge>& stage_last_success_;
  prometheus::Family<prometheus::Histogram>& stage_duration_;
};

}  // namespace larr
