// SPDX-License-Identifier: Apache-2.0
#include "services/coordinator/local_executor.h"

#include <fmt/format.h>
#include <signal.h>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "common/config/stage_files.h"
#include "common/config/stage_output.h"
#include "common/config/text_proto.h"
#include "services/coordinator/stage_process.h"

namespace larr {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view kErrorPrefix = "error: ";

std::filesystem::path LogOf(const StageLaunch& launch) {
  return std::filesystem::path(launch.config.work()) / kLogFile;
}

// `child` is empty if it was another process's child; `seen` if it lived when
// it was looked at.
StageExit ExitOf(const StageLaunch& launch, std::optional<ChildExit> child,
                 bool seen, int64_t log_offset) {
  StageExit exit{.key = launch.key};
  const auto artifact = ReadStageOutput(launch.config);
  if (artifact.ok()) {
    exit.outcome = StageOutcome::kSucceeded;
    exit.artifact_path = launch.config.output();
    return exit;
  }
  const std::string line = LastLogLine(LogOf(launch), log_offset);
  if (child && child->signal != 0) {
    exit.outcome = StageOutcome::kKilled;
    exit.message = fmt::format("killed by signal {} ({})", child->signal,
                               strsignal(child->signal));
  } else if (line.starts_with(kErrorPrefix)) {
    exit.message = line.substr(kErrorPrefix.size());
  } else if (!child) {
    exit.outcome = seen ? StageOutcome::kKilled : StageOutcome::kLost;
    exit.message =
        seen ? "ended without a word" : "killed while the coordinator was away";
  } else if (child->status == 0) {
    exit.message = fmt::format("it ended without an artifact: {}",
                               std::string(artifact.status().message()));
  } else {
    exit.message = fmt::format("exit status {}; see {}", child->status,
                               LogOf(launch).string());
  }
  return exit;
}

// What a stage's environment has beside ours. Threads of OpenMP that wait spin
// for some microseconds and then sleep, unless someone chose otherwise: beside
// other work on the machine they would else burn the time that those need which
// they wait for (docs/decisions/spinning.md).
std::vector<std::string> StageEnvironment(const std::string& gpu) {
  std::vector<std::string> added = {"CUDA_VISIBLE_DEVICES=" + gpu};
  if (std::getenv("GOMP_SPINCOUNT") == nullptr &&
      std::getenv("OMP_WAIT_POLICY") == nullptr)
    added.emplace_back("GOMP_SPINCOUNT=2000");
  return added;
}

}  // namespace

LocalExecutor::LocalExecutor(LocalExecutorOptions options)
    : options_(std::move(options)) {
  signal(SIGCHLD, SIG_DFL);  // Ignored, it would hide how a stage ended.
}

absl::Status LocalExecutor::Start(const StageLaunch& launch) {
  const std::filesystem::path work = launch.config.work();
  const std::string run = launch.key.run.substr(launch.key.run.rfind('/') + 1);
  const std::filesystem::path file =
      options_.process_folder / run / work.filename();
  LARR_RETURN_IF_ERROR(MakeFolder(work));
  LARR_RETURN_IF_ERROR(MakeFolder(file.parent_path()));
  LARR_ASSIGN_OR_RETURN(const ProcessLock lock, ProcessLock::Open(file));

  Process process{.launch = launch, .file = file};
  LARR_ASSIGN_OR_RETURN(const bool locked, lock.TryLock());
  const bool lives = !locked;
  const ProcessRecord record = lock.Read();
  if (lives || record.attempt == launch.attempt) {
    if (record.attempt == launch.attempt) {
      // Of one that ended, the number may by now be another's.
      if (lives) process.pid = record.pid;
      process.log_offset = record.log_offset;
    }
    spdlog::info("stage_found run={} stage={} attempt={} pid={} running={}",
                 launch.key.run, launch.key.stage, launch.attempt, process.pid,
                 lives);
  } else {
    const std::filesystem::path config_file = work / kSettingsFile;
    LARR_RETURN_IF_ERROR(
        WriteFileAtomically(config_file, ToTextProto(launch.config)));
    const std::string gpu = launch.gpu ? std::to_string(*launch.gpu) : "";
    LARR_ASSIGN_OR_RETURN(const ProcessRecord started,
                          lock.Spawn({.arguments = {options_.stage_program,
                                                    "--config", config_file},
                                      .environment = StageEnvironment(gpu),
                                      .log = LogOf(launch),
                                      .attempt = launch.attempt}));
    process.own_child = true;
    process.pid = started.pid;
    process.log_offset = started.log_offset;
    spdlog::info("stage_started run={} stage={} attempt={} pid={} gpu={}",
                 launch.key.run, launch.key.stage, launch.attempt, process.pid,
                 gpu);
  }
  processes_.insert_or_assign(launch.key, std::move(process));
  return absl::OkStatus();
}

void LocalExecutor::Stop(const StageKey& key) {
  const auto it = processes_.find(key);
  // One that ended has been reaped: its number may be another's.
  if (it == processes_.end() || it->second.exit || it->second.kill_at) return;
  it->second.kill_at = Clock::now() + options_.stop_grace;
  Escalate(it->second);
}

std::vector<StageExit> LocalExecutor::Poll() {
  std::vector<StageExit> exits;
  for (auto& [key, process] : processes_) {
    if (!process.exit) CheckEnded(process);
    if (process.exit) {
      exits.push_back(*process.exit);
    } else if (process.kill_at) {
      Escalate(process);
    }
  }
  return exits;
}

void LocalExecutor::Acknowledge(const StageKey& key) { processes_.erase(key); }

void LocalExecutor::CheckEnded(Process& process) const {
  if (process.own_child) {
    const std::optional<ChildExit> child = ReapChild(process.pid);
    if (!child) return;
    process.exit =
        ExitOf(process.launch, child, /*seen=*/true, process.log_offset);
    return;
  }
  const auto lock = ProcessLock::Open(process.file);
  if (!lock.ok()) return;  // Asked again by the next Poll.
  const auto locked = lock->TryLock();
  if (!locked.ok()) return;
  const bool lives = !*locked;
  const ProcessRecord record = lock->Read();
  if (process.pid == 0 && record.attempt == process.launch.attempt) {
    if (lives) process.pid = record.pid;
    process.log_offset = record.log_offset;
  }
  if (lives) return;
  process.exit = ExitOf(process.launch, /*child=*/std::nullopt,
                        /*seen=*/process.pid != 0, process.log_offset);
}

void LocalExecutor::Escalate(Process& process) const {
  if (process.pid == 0) return;
  if (!process.terminated) {
    process.terminated = true;
    kill(-process.pid, SIGTERM);
  } else if (Clock::now() >= *process.kill_at) {
    kill(-process.pid, SIGKILL);
  }
}

}  // namespace larr
