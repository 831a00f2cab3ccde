// SPDX-License-Identifier: Apache-2.0
#include "services/coordinator/local_executor.h"

#include <signal.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include "common/base/artifact_folder.h"
#include "common/base/files.h"
#include "services/coordinator/stage_process.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

class LocalExecutorTest {
 public:
  LocalExecutorTest() { std::filesystem::create_directories(dir_.path()); }

 protected:
  std::unique_ptr<LocalExecutor> NewExecutor() {
    return std::make_unique<LocalExecutor>(
        LocalExecutorOptions{.stage_program = FAKE_STAGE,
                             .process_folder = dir_.path() / "processes",
                             .stop_grace = std::chrono::milliseconds(300)});
  }

  StageLaunch Launch(int attempt, const std::string& behaviour) {
    std::ofstream(dir_.path() / "behaviour") << "corpus " << behaviour << "\n";
    StageLaunch launch;
    launch.key = {"trainingRuns/r", "corpus"};
    launch.attempt = attempt;
    launch.gpu = 3;
    launch.config.set_stage(config::v1::StageConfig::CORPUS);
    launch.config.mutable_spec()->set_dataset(dir_.path() / "dataset");
    launch.config.mutable_spec()->add_align()->set_name("larr");
    launch.config.set_output(dir_.path() / "corpus");
    launch.config.set_work(dir_.path() / "corpus.work");
    return launch;
  }

  // Polls until the stage ended; fails after 10 s.
  StageExit WaitForExit(LocalExecutor& executor) {
    for (int i = 0; i < 1000; ++i) {
      const auto exits = executor.Poll();
      if (!exits.empty()) return exits[0];
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    FAIL("the stage does not end");
    return {};
  }

  void WaitForFile(const std::filesystem::path& path) {
    for (int i = 0; i < 1000 && !std::filesystem::exists(path); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    REQUIRE(std::filesystem::exists(path));
  }

  // How many processes the stage had.
  int Starts() {
    const auto text = ReadFile(dir_.path() / "corpus.work" / "starts");
    return text.ok()
               ? static_cast<int>(std::count(text->begin(), text->end(), '\n'))
               : 0;
  }

  testing::TempDir dir_;
};

TEST_CASE_METHOD(LocalExecutorTest, "A stage runs on its GPU and succeeds",
                 "[local_executor]") {
  const auto executor = NewExecutor();
  REQUIRE(executor->Start(Launch(1, "")).ok());
  const StageExit exit = WaitForExit(*executor);
  CHECK(exit.outcome == StageOutcome::kSucceeded);
  CHECK(exit.artifact_path == (dir_.path() / "corpus").string());
  const auto starts = ReadFile(dir_.path() / "corpus.work" / "starts");
  CHECK(starts->find(" 3\n") != std::string::npos);
  // Reported until it is acknowledged.
  CHECK(executor->Poll().size() == 1);
  executor->Acknowledge(exit.key);
  CHECK(executor->Poll().empty());
}

TEST_CASE_METHOD(LocalExecutorTest, "Failure and death are told apart",
                 "[local_executor]") {
  const auto executor = NewExecutor();
  REQUIRE(executor->Start(Launch(1, "fail")).ok());
  StageExit exit = WaitForExit(*executor);
  CHECK(exit.outcome == StageOutcome::kFailed);
  CHECK(exit.message == "told to fail");
  executor->Acknowledge(exit.key);

  REQUIRE(executor->Start(Launch(2, "die-always")).ok());
  exit = WaitForExit(*executor);
  CHECK(exit.outcome == StageOutcome::kKilled);
  CHECK(exit.message.find("killed by signal 11") == 0);
}

TEST_CASE_METHOD(
    LocalExecutorTest,
    "An artifact of an input that was since made anew is a failure",
    "[local_executor]") {
  const auto write = [&](const std::string& content) {
    std::filesystem::remove_all(dir_.path() / "input");
    auto writer = ArtifactWriter::Create(dir_.path() / "input");
    REQUIRE(writer.ok());
    std::ofstream(writer->path() / "data") << content;
    REQUIRE(writer->Finish({}).ok());
  };
  const auto executor = NewExecutor();
  const auto exit_of = [&](int attempt) {
    StageLaunch launch = Launch(attempt, "");
    (*launch.config.mutable_inputs())["input"] = dir_.path() / "input";
    REQUIRE(executor->Start(launch).ok());
    const StageExit exit = WaitForExit(*executor);
    executor->Acknowledge(exit.key);
    return exit;
  };
  write("one");
  CHECK(exit_of(1).outcome == StageOutcome::kSucceeded);
  CHECK(exit_of(2).outcome == StageOutcome::kSucceeded);
  write("another");
  const StageExit refused = exit_of(3);
  CHECK(refused.outcome == StageOutcome::kFailed);
  CHECK(refused.message.find("another `input`") != std::string::npos);
  std::filesystem::remove_all(dir_.path() / "corpus");
  CHECK(exit_of(4).outcome == StageOutcome::kSucceeded);
}

TEST_CASE_METHOD(LocalExecutorTest, "A stage that is running is found again",
                 "[local_executor]") {
  const StageLaunch launch = Launch(1, "held");
  auto executor = NewExecutor();
  REQUIRE(executor->Start(launch).ok());
  WaitForFile(dir_.path() / "corpus.work" / "starts");
  executor = NewExecutor();
  REQUIRE(executor->Start(launch).ok());
  CHECK(executor->Poll().empty());
  std::ofstream(dir_.path() / "go") << "";
  CHECK(WaitForExit(*executor).outcome == StageOutcome::kSucceeded);
  CHECK(Starts() == 1);
}

TEST_CASE_METHOD(
    LocalExecutorTest,
    "Threads of a stage soon sleep, unless someone chose otherwise",
    "[local_executor]") {
  const bool chosen = GENERATE(false, true);
  unsetenv("GOMP_SPINCOUNT");  // of whoever runs this test
  if (chosen) setenv("OMP_WAIT_POLICY", "active", 1);
  const auto executor = NewExecutor();
  REQUIRE(executor->Start(Launch(1, "held")).ok());
  unsetenv("OMP_WAIT_POLICY");
  for (int i = 0; i < 1000 && Starts() == 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  std::ifstream starts(dir_.path() / "corpus.work" / "starts");
  std::string pid;
  starts >> pid;
  std::ifstream file("/proc/" + pid + "/environ");
  const std::string environment(std::istreambuf_iterator<char>(file), {});
  REQUIRE_FALSE(environment.empty());
  CHECK((environment.find("GOMP_SPINCOUNT=2000") == std::string::npos) ==
        chosen);
  std::ofstream(dir_.path() / "go") << "";
  CHECK(WaitForExit(*executor).outcome == StageOutcome::kSucceeded);
}

TEST_CASE_METHOD(LocalExecutorTest,
                 "A stage that ended while nobody looked is not started again",
                 "[local_executor]") {
  const struct {
    const char* behaviour;
    StageOutcome outcome;
    const char* message;
  } cases[] = {
      {"fail", StageOutcome::kFailed, "told to fail"},
      {"die-always", StageOutcome::kLost,
       "killed while the coordinator was away"},
      {"", StageOutcome::kSucceeded, ""},
  };
  int attempt = 0;
  for (const auto& c : cases) {
    const StageLaunch launch = Launch(++attempt, c.behaviour);
    auto executor = NewExecutor();
    REQUIRE(executor->Start(launch).ok());
    WaitForExit(*executor);
    executor = NewExecutor();
    REQUIRE(executor->Start(launch).ok());
    const StageExit exit = WaitForExit(*executor);
    CHECK(exit.outcome == c.outcome);
    CHECK(exit.message == c.message);
    CHECK(Starts() == attempt);
  }
}

TEST_CASE_METHOD(LocalExecutorTest, "Stop ends even a stubborn stage",
                 "[local_executor]") {
  const bool stubborn = GENERATE(false, true);
  const StageLaunch launch = Launch(1, stubborn ? "held stubborn" : "held");
  auto executor = NewExecutor();
  REQUIRE(executor->Start(launch).ok());
  WaitForFile(dir_.path() / "corpus.work" / "starts");
  const bool own_child = GENERATE(true, false);
  if (!own_child) {
    executor = NewExecutor();
    REQUIRE(executor->Start(launch).ok());
  }
  const auto before = std::chrono::steady_clock::now();
  executor->Stop(launch.key);
  const StageExit exit = WaitForExit(*executor);
  CHECK(exit.outcome == StageOutcome::kKilled);
  if (own_child) {
    CHECK(exit.message.find(stubborn ? "killed by signal 9 "
                                     : "killed by signal 15 ") == 0);
  }
  if (stubborn) {
    const auto took = std::chrono::steady_clock::now() - before;
    CHECK(took >= std::chrono::milliseconds(300));
  }
  executor->Stop({"trainingRuns/unknown", "corpus"});
}

TEST_CASE_METHOD(LocalExecutorTest, "A work folder that cannot be is an error",
                 "[local_executor]") {
  const auto executor = NewExecutor();
  StageLaunch launch = Launch(1, "");
  std::ofstream(dir_.path() / "file") << "x";
  launch.config.set_work(dir_.path() / "file" / "work");
  CHECK(executor->Start(launch).code() == absl::StatusCode::kNotFound);
  CHECK(executor->Poll().empty());
}

}  // namespace
}  // namespace larr
