// SPDX-License-Identifier: Apache-2.0
#include "tools/demo/child_process.h"

#include <signal.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "common/base/files.h"
#include "tests/testing/temp_dir.h"

namespace larr::demo {
namespace {

namespace fs = std::filesystem;

// A program that is a shell script.
fs::path Script(const fs::path& path, const std::string& text) {
  REQUIRE(WriteFileAtomically(path, "#!/bin/sh\n" + text).ok());
  fs::permissions(path, fs::perms::owner_all);
  return path;
}

TEST_CASE("A program's output, failure and absence are reported", "[demo]") {
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

TEST_CASE("A child does not outlive its object", "[demo]") {
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

TEST_CASE("A server is ready when its port file is there", "[demo]") {
  const testing::TempDir dir;
  const fs::path port = dir.path() / "port";
  const fs::path program =
      Script(dir.path() / "server",
             "test $1 = --config || exit 2\nsleep 0.2\nprintf "
             "'127.0.0.1:5\\n127.0.0.1:6\\n' > $2.tmp\nmv "
             "$2.tmp " +
                 port.string() + "\nexec sleep 100\n");
  REQUIRE(WriteFileAtomically(port, "127.0.0.1:9\n").ok());  // of an old one
  auto server =
      Server::Start(program, dir.path() / "config", port, dir.path() / "log");
  INFO(server.status().ToString());
  REQUIRE(server.ok());
  CHECK(server->address() == "127.0.0.1:5");
  CHECK(server->admin_address() == "127.0.0.1:6");
  CHECK(server->Check().ok());
}

TEST_CASE("A server that ends while it starts says why, at once", "[demo]") {
  const testing::TempDir dir;
  const fs::path program =
      Script(dir.path() / "server", "echo no such setting >&2\nexit 1\n");
  const auto begin = std::chrono::steady_clock::now();
  const auto server = Server::Start(program, dir.path() / "config",
                                    dir.path() / "port", dir.path() / "log");
  CHECK(absl::IsAborted(server.status()));
  CHECK_THAT(server.status().ToString(), Catch::Contains("no such setting"));
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(10));
}

TEST_CASE("A server of an earlier demo is waited for", "[demo]") {
  const testing::TempDir dir;
  const fs::path port = dir.path() / "port", lock = dir.path() / "lock";
  const fs::path config = dir.path() / "config", log = dir.path() / "log";
  // Only one at a time; it takes a while to end.
  const fs::path program =
      Script(dir.path() / "server",
             "mkdir " + lock.string() +
                 " || exit 1\ntrap 'kill $!; sleep 0.5; rmdir " +
                 lock.string() + "; exit 0' TERM\necho 127.0.0.1:5 > " +
                 port.string() + "\nsleep 100 & wait\n");
  auto earlier = Server::Start(program, config, port, log);
  REQUIRE(earlier.ok());
  std::jthread ends([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    const Server gone = *std::move(earlier);
  });
  const auto server = Server::Start(program, config, port, log);
  INFO(server.status().ToString());
  CHECK(server.ok());
}

TEST_CASE("A program that runs can be watched", "[demo]") {
  const testing::TempDir dir;
  int calls = 0;
  CHECK(RunProgram({.words = {"/bin/sleep", "0.3"}, .log = dir.path() / "log"},
                   [&] { ++calls; })
            .ok());
  CHECK(calls >= 2);
}

TEST_CASE("An interrupt stops a wait", "[demo]") {
  const testing::TempDir dir;
  CatchInterrupts();
  std::jthread later([] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    raise(SIGINT);
  });
  const absl::Status status =
      RunProgram({.words = {"/bin/sleep", "100"}, .log = dir.path() / "log"});
  CHECK(absl::IsCancelled(status));
  CHECK(Interrupted());
  ForgetInterrupt();
  CHECK(CheckInterrupt().ok());
}

}  // namespace
}  // namespace larr::demo
