// SPDX-License-Identifier: Apache-2.0
//
// The demo, with each of the four programs killed by kill -9 in the midst of
// its work, or interrupted in the midst of training: run again, it ends with
// the result of a demo that nobody disturbed.
#include <fmt/format.h>
#include <signal.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "common/base/files.h"
#include "tests/testing/program.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kMostRuns = 8;
constexpr char kProgress[] = "artifacts/runs/demo/contrast.work/progress.jsonl";

struct Victim {
  const char* program;
  const char* log;  // Below the demo's folder: it must exist, ...
  int lines;        // ... and have so many lines.
};

// Each is killed once, as soon as its work has begun.
constexpr Victim kVictims[] = {
    {"larr_stage", kProgress, 2},
    {"larr_coordinator", "artifacts/runs/demo/align-larr.work/stage.log", 1},
    {"larr_scoring", "logs/scoring.log", 1},
    {"larr_embedding", "logs/embedding.log", 1}};

int64_t Lines(const fs::path& path) {
  const auto text = ReadFile(path);
  return text.ok() ? std::count(text->begin(), text->end(), '\n') : 0;
}

// A process of `program` whose command names something in `folder`; 0 if none.
pid_t Find(const std::string& program, const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const auto command = ReadFile(entry.path() / "cmdline");
    if (!command.ok()) continue;
    const std::string first = command->substr(0, command->find('\0'));
    if (fs::path(first).filename() == program &&
        command->find(folder.string()) != std::string::npos) {
      return std::stoi(name);
    }
  }
  return 0;
}

class Demo {
 public:
  explicit Demo(fs::path folder) : folder_(std::move(folder)) {
    fs::create_directories(folder_);
    folder_ = fs::canonical(folder_);
  }
  // Stages that a killed demo left behind.
  ~Demo() {
    while (const pid_t pid = Find("larr_stage", folder_)) {
      if (kill(pid, SIGKILL) != 0) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }

  testing::Program Start() const {
    return testing::Program({DEMO, "--size=tiny", "--out", folder_, "--model",
                             std::string(std::getenv("LARR_SOURCE_DIR")) +
                                 "/tests/golden/tiny_llama"},
                            folder_ / "demo.log");
  }

  // Its exit status. While it runs, kills what is in `victims`, and erases it.
  int Run(std::vector<Victim>& victims) const {
    testing::Program demo = Start();
    while (demo.Lives()) {
      std::erase_if(victims, [&](const Victim& victim) {
        if (Lines(folder_ / victim.log) < victim.lines) return false;
        const pid_t pid = Find(victim.program, folder_);
        return pid > 0 && kill(pid, SIGKILL) == 0;
      });
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return demo.Wait();
  }

  const fs::path& folder() const { return folder_; }
  std::string log() const { return *ReadFile(folder_ / "demo.log"); }

  // The report without what is a matter of time and place.
  json Result() const {
    const json report = json::parse(*ReadFile(folder_ / "report.json"));
    json result;
    for (const char* part : {"models", "bayes"}) result[part] = report.at(part);
    for (const char* number : {"scores", "ctr_auc"}) {
      result["served"][number] = report.at("served").at(number);
    }
    for (const char* number : {"texts_total", "texts_encoded"}) {
      result["refresh"][number] = report.at("refresh").at(number);
    }
    result["precision"] = report.at("recall").at("precision_at_10");
    result["version"] = report.at("model_version");
    result["gate"] = report.at("gate");
    result["losses"] = report.at("losses");
    CHECK(report.at("served").at("max_abs_diff").get<double>() <= 1e-5);
    return result;
  }

 private:
  fs::path folder_;
};

// The result of a demo that nobody disturbed.
const json& CalmResult() {
  static const json result = [] {
    const testing::TempDir dir;
    std::vector<Victim> nobody;
    const Demo calm(dir.path() / "calm");
    const int status = calm.Run(nobody);
    INFO(calm.log());
    REQUIRE(status == 0);
    return calm.Result();
  }();
  return result;
}

TEST_CASE("A demo whose programs were killed ends with the same result",
          "[integration]") {
  const testing::TempDir dir;
  const Demo stormy(dir.path() / "stormy");
  std::vector<Victim> victims(std::begin(kVictims), std::end(kVictims));
  int status = -1, runs = 0;
  while (status != 0 && runs < kMostRuns) {
    status = stormy.Run(victims);
    ++runs;
  }
  INFO(stormy.log());
  REQUIRE(status == 0);
  CHECK(runs > 1);
  for (const Victim& victim : victims) {
    FAIL_CHECK(victim.program << " was not killed");
  }
  CHECK(stormy.Result() == CalmResult());
}

TEST_CASE("A demo interrupted in training goes on to the same result",
          "[integration]") {
  const testing::TempDir dir;
  const Demo interrupted(dir.path() / "interrupted");
  pid_t stage = 0;
  {
    testing::Program demo = interrupted.Start();
    REQUIRE(testing::Eventually(
        [&] {
          stage = Find("larr_stage", interrupted.folder());
          return stage > 0 && Lines(interrupted.folder() / kProgress) >= 2;
        },
        std::chrono::seconds(300)));
    // A stage that takes its time to end: the demo waits for it.
    REQUIRE(kill(stage, SIGSTOP) == 0);
    REQUIRE(kill(demo.pid(), SIGINT) == 0);
    std::this_thread::sleep_for(std::chrono::milliseconds(1500));
    CHECK(demo.Lives());
    CHECK(kill(stage, SIGCONT) == 0);
    CHECK(demo.Wait() == 130);
  }
  const std::string log = interrupted.log();
  INFO(log);
  CHECK_THAT(log.substr(log.rfind('\n', log.size() - 2) + 1),
             Catch::StartsWith("larr_demo: interrupted; ") &&
                 Catch::Contains("run it again"));
  CHECK(Find("larr_stage", interrupted.folder()) == 0);
  CHECK(Find("larr_coordinator", interrupted.folder()) == 0);
  CHECK_FALSE(fs::exists(interrupted.folder() / "parts/training.json"));

  std::vector<Victim> nobody;
  const int status = interrupted.Run(nobody);
  INFO(interrupted.log());
  REQUIRE(status == 0);
  CHECK(interrupted.Result() == CalmResult());
}

}  // namespace
}  // namespace larr
