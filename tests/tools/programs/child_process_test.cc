// SPDX-License-Identifier: Apache-2.0
#include "tools/programs/child_process.h"

#include <signal.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "common/base/files.h"
#include "tests/testing/temp_dir.h"
#include "tests/tools/programs/script.h"

namespace larr::programs {
namespace {

namespace fs = std::filesystem;
using testing::Script;

TEST_CASE("A program's output, failure and absence are reported",
          "[programs]") {
  const testing::TempDir dir;
  const fs::path log = dir.path() / "log";
  const auto run = [&](const std::string& text) {
    return RunProgram({.words = {Script(dir.path() / "p", text), "word"},
                       .log = log,
                       .output = dir.path() / "out"});
  };
  CHECK(run("echo $1; echo complaint >&2").ok());
  CHECK(*ReadFile(dir.path() / "out") == "word\n");
  CHECK(*ReadFile(log) == "complaint\n");
  const absl::Status failed = run("echo last words >&2; exit 3");
  CHECK(absl::IsAborted(failed));
  CHECK_THAT(failed.ToString(), Catch::Contains("p failed with status 3") &&
                                    Catch::Contains("last words"));
  CHECK_THAT(run("kill -9 $$").ToString(), Catch::Contains("signal 9"));
  CHECK_THAT(RunProgram({.words = {"/no/such/program"}, .log = log}).ToString(),
             Catch::Contains("program is missing"));
}

TEST_CASE("A child does not outlive its object", "[programs]") {
  const testing::TempDir dir;
  const fs::path pid_file = dir.path() / "pid";
  {
    auto child = ChildProcess::Start(
        {.words = {Script(dir.path() / "p", "echo $$ > " + pid_file.string() +
                                                "; exec sleep 100")},
         .log = dir.path() / "log"});
    REQUIRE(child.ok());
    while (!fs::exists(pid_file) || fs::file_size(pid_file) == 0) {
      REQUIRE(child->IsRunning());
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    ChildProcess moved = *std::move(child);
    // What was moved from has let go of the process.
    CHECK_FALSE(child->IsRunning());  // NOLINT(bugprone-use-after-move)
    CHECK(moved.IsRunning());
  }
  const int pid = std::stoi(*ReadFile(pid_file));
  CHECK(kill(pid, 0) != 0);
}

TEST_CASE("A program that runs can be watched", "[programs]") {
  const testing::TempDir dir;
  int calls = 0;
  CHECK(RunProgram({.words = {"/bin/sleep", "0.3"}, .log = dir.path() / "log"},
                   [&] { ++calls; })
            .ok());
  CHECK(calls >= 2);
}

}  // namespace
}  // namespace larr::programs
