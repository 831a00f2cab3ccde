// SPDX-License-Identifier: Apache-2.0
//
// An Executor runs stages somewhere: `LocalExecutor` as child processes, a
// fake in tests. The coordinator's one way to the world outside.
//
// Threads:  called by one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "larr/config/v1/training.pb.h"
#include "services/coordinator/scheduler.h"

namespace larr {

struct StageLaunch {
  StageKey key;
  // Tells apart the starts of one stage (StageRun.attempts).
  int32_t attempt = 0;
  config::v1::StageConfig config;
  std::optional<int> gpu;
};

class Executor {
 public:
  virtual ~Executor() = default;

  // Starts a stage, or finds it again: if this attempt was started before,
  // by this process or by one that died, no second copy is started, and its
  // end is reported all the same.
  virtual absl::Status Start(const StageLaunch& launch) = 0;

  // Ends a stage's processes, politely first. Its exit is reported by `Poll`.
  virtual void Stop(const StageKey& key) = 0;

  // Stages that ended and were not acknowledged yet, in the order of ending.
  // The same exit is reported until `Acknowledge`.
  virtual std::vector<StageExit> Poll() = 0;
  virtual void Acknowledge(const StageKey& key) = 0;
};

}  // namespace larr
