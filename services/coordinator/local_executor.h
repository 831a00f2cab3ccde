// SPDX-License-Identifier: Apache-2.0
//
// Runs stages as child processes, `stage_program --config FILE`, each in a
// process group of its own, with stdout and stderr appended to
// `<work>/stage.log` and with CUDA_VISIBLE_DEVICES set to its GPU, or empty.
//
// Stages outlive the coordinator and are found again: each holds an exclusive
// flock on its *process file*, `<process folder>/<run>/<stage>.work`, from
// before its program starts until it is gone; the system lets go of the lock
// however the process ends. The file names the attempt and the process. So
// after a restart of the coordinator an attempt is
//
//   running       if the lock is held
//   not started   else if the file names another attempt
//   ended         otherwise
//
// How it ended is decided by what it left: its artifact, of the present inputs
// (success, whatever the exit status says), else its exit status if this
// process is the parent, else the last line of its log: `error: ...` is a
// failure, anything else a kill, or a loss if it was never seen alive.
//
// Threads:  one.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "services/coordinator/executor.h"

namespace larr {

struct LocalExecutorOptions {
  std::filesystem::path stage_program;
  // On a local disk, and the same after a restart.
  std::filesystem::path process_folder;
  // From SIGTERM to SIGKILL.
  std::chrono::milliseconds stop_grace{10'000};
};

class LocalExecutor : public Executor {
 public:
  explicit LocalExecutor(LocalExecutorOptions options);
  // Leaves the processes alone.
  ~LocalExecutor() override = default;

  // Errors: those of files and folders in the stage's work folder, and
  //         kUnavailable  the system refuses another process
  absl::Status Start(const StageLaunch& launch) override;
  void Stop(const StageKey& key) override;
  std::vector<StageExit> Poll() override;
  void Acknowledge(const StageKey& key) override;

 private:
  // A stage from its start until its exit is acknowledged.
  struct Process {
    StageLaunch launch;
    std::filesystem::path file;  // The process file.
    bool own_child = false;      // Else only the lock tells that it lives.
    pid_t pid = 0;               // Of its group, too. 0: not known yet.
    int64_t log_offset = 0;      // Where this attempt's log begins.
    std::optional<StageExit> exit;
    std::optional<std::chrono::steady_clock::time_point> kill_at;
    bool terminated = false;  // SIGTERM was sent.
  };

  void CheckEnded(Process& process) const;
  void Escalate(Process& process) const;

  const LocalExecutorOptions options_;
  std::map<StageKey, Process> processes_;
};

}  // namespace larr
