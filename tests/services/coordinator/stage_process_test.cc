// SPDX-License-Identifier: Apache-2.0
#include "services/coordinator/stage_process.h"

#include <signal.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <fstream>
#include <thread>

#include "common/base/files.h"
#include "tests/testing/program.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

ChildExit WaitFor(pid_t pid) {
  for (int i = 0; i < 1000; ++i) {
    if (const auto exit = ReapChild(pid)) return *exit;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  FAIL("the child does not end");
  return {};
}

// Runs a line of shell as a locked child.
absl::StatusOr<ProcessRecord> Shell(const ProcessLock& lock,
                                    const std::filesystem::path& log,
                                    const std::string& line) {
  return lock.Spawn({.arguments = {"/bin/sh", "-c", line},
                     .environment = {"CUDA_VISIBLE_DEVICES=2", "NEW=1"},
                     .log = log,
                     .attempt = 5});
}

TEST_CASE("A child holds its lock, and only as long as it lives",
          "[stage_process]") {
  const testing::TempDir dir;
  ProcessRecord started;
  {
    const auto lock = ProcessLock::Open(dir.path() / "lock");
    REQUIRE(lock.ok());
    CHECK(lock->Read().attempt == 0);
    REQUIRE(lock->TryLock().value());
    started = *Shell(*lock, dir.path() / "log", "sleep 60");
  }
  const auto other = ProcessLock::Open(dir.path() / "lock");
  CHECK_FALSE(other->TryLock().value());
  for (int i = 0; i < 500 && other->Read().attempt == 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  CHECK(other->Read().attempt == 5);
  CHECK(other->Read().pid == started.pid);
  CHECK_FALSE(ReapChild(started.pid).has_value());
  kill(-started.pid, SIGKILL);
  CHECK(WaitFor(started.pid).signal == SIGKILL);
  // The shell's own child may end a moment later.
  CHECK(testing::Eventually([&] { return other->TryLock().value(); }));
}

TEST_CASE("A child gets its environment, log and exit status through",
          "[stage_process]") {
  const testing::TempDir dir;
  const auto lock = ProcessLock::Open(dir.path() / "lock");
  REQUIRE(lock->TryLock().value());
  std::ofstream(dir.path() / "log") << "before\n";
  const auto started =
      Shell(*lock, dir.path() / "log",
            "echo gpu=$CUDA_VISIBLE_DEVICES new=$NEW path=${PATH:+set}; "
            "ls /proc/self/fd | wc -w; cat /proc/self/oom_score_adj; "
            "echo last >&2; exit 7");
  REQUIRE(started.ok());
  CHECK(started->log_offset == 7);
  const ChildExit exit = WaitFor(started->pid);
  CHECK(exit.signal == 0);
  CHECK(exit.status == 7);
  // Descriptors 0 to 3, and the one that ls reads the folder with. Whoever may
  // be killed sooner than a stage stays so.
  const int own = std::stoi(*ReadFile("/proc/self/oom_score_adj"));
  CHECK(*ReadFile(dir.path() / "log") ==
        "before\ngpu=2 new=1 path=set\n5\n" +
            std::to_string(std::max(own, 500)) + "\nlast\n");
  CHECK(LastLogLine(dir.path() / "log", started->log_offset) == "last");
}

TEST_CASE("A program that cannot be run says so in the log",
          "[stage_process]") {
  const testing::TempDir dir;
  const auto lock = ProcessLock::Open(dir.path() / "lock");
  REQUIRE(lock->TryLock().value());
  const auto started = lock->Spawn(
      {.arguments = {"/nowhere/larr_stage"}, .log = dir.path() / "log"});
  REQUIRE(started.ok());
  CHECK(WaitFor(started->pid).status == 127);
  CHECK(LastLogLine(dir.path() / "log", 0)
            .find("error: cannot run /nowhere/larr_stage") == 0);
}

TEST_CASE("A signal ends a child even before it runs its program",
          "[stage_process]") {
  const testing::TempDir dir;
  const auto lock = ProcessLock::Open(dir.path() / "lock");
  REQUIRE(lock->TryLock().value());
  const auto before = signal(SIGTERM, [](int) {});
  for (int i = 0; i < 50; ++i) {  // It is a race: nearly all are that early.
    const auto started = Shell(*lock, dir.path() / "log", "exec sleep 60");
    const pid_t pid = started.ok() ? started->pid : -1;
    CHECK(pid > 0);
    if (pid < 0) break;
    kill(pid, SIGTERM);
    CHECK(WaitFor(pid).signal == SIGTERM);
  }
  signal(SIGTERM, before);
}

TEST_CASE("What a dead child left of its group is killed", "[stage_process]") {
  const testing::TempDir dir;
  const auto lock = ProcessLock::Open(dir.path() / "lock");
  REQUIRE(lock->TryLock().value());
  const auto started =
      Shell(*lock, dir.path() / "log", "sleep 60 & echo $!; kill -9 $$");
  REQUIRE(started.ok());
  CHECK(WaitFor(started->pid).signal == SIGKILL);
  const pid_t grandchild = std::stoi(*ReadFile(dir.path() / "log"));
  bool gone = false;
  for (int i = 0; i < 500 && !gone; ++i) {
    std::ifstream stat("/proc/" + std::to_string(grandchild) + "/stat");
    std::string pid, name, state;
    gone = !(stat >> pid >> name >> state) || state == "Z";
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  CHECK(gone);
}

TEST_CASE("The last line of a log ends in text", "[stage_process]") {
  const testing::TempDir dir;
  const auto log = dir.path() / "log";
  CHECK(LastLogLine(log, 0).empty());
  const struct {
    const char* content;
    int64_t offset;
    const char* line;
  } cases[] = {
      {"", 0, ""},          {"\n\n", 0, ""},       {"one", 0, "one"},
      {"a\nb\n\n", 0, "b"}, {"error: x\n", 9, ""}, {"a\nb c \n", 2, "b c"},
  };
  for (const auto& c : cases) {
    std::ofstream(log) << c.content;
    CHECK(LastLogLine(log, c.offset) == c.line);
  }
  std::ofstream(log) << std::string(10'000, 'x') << "\nend\n";
  CHECK(LastLogLine(log, 0) == "end");
}

}  // namespace
}  // namespace larr
