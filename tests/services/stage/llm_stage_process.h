// SPDX-License-Identifier: Apache-2.0
//
// The stages that train the language model, run here or as processes that are
// killed. A process is this test program again, with a stage to run.
#pragma once

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "common/llm/process_group.h"
#include "services/stage/contrast.h"
#include "services/stage/pretrain.h"
#include "tests/services/stage/tiny_corpus.h"

extern char** environ;

namespace larr::stage {

namespace fs = std::filesystem;
using config::v1::StageConfig;

inline constexpr char kVariable[] = "LARR_TEST_STAGE_CONFIG";

inline absl::Status RunStage(const StageConfig& config) {
  ProcessGroup alone;
  StageContext context{config, ProgressWriter(config.work()), &alone};
  return config.stage() == StageConfig::PRETRAIN ? RunPretrain(context)
                                                 : RunContrast(context);
}

inline pid_t Start(const StageConfig& config) {
  const auto file = fs::path(config.work()) / "config.textproto";
  REQUIRE(WriteFileAtomically(file, ToTextProto(config)).ok());
  setenv(kVariable, file.c_str(), 1);
  char program[] = "/proc/self/exe", tag[] = "[.child]";
  char* arguments[] = {program, tag, nullptr};
  pid_t child = 0;
  REQUIRE(posix_spawn(&child, fs::read_symlink(program).c_str(), nullptr,
                      nullptr, arguments, environ) == 0);
  return child;
}

inline void WaitForSuccess(pid_t child) {
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  REQUIRE(WEXITSTATUS(status) == 0);
}

inline size_t ProgressLines(const StageConfig& config) {
  std::ifstream in(fs::path(config.work()) / "progress.jsonl");
  size_t lines = 0;
  for (std::string line; std::getline(in, line);) ++lines;
  return lines;
}

// Kills the child as soon as it has reported `lines` more steps.
inline bool KillAfter(const StageConfig& config, size_t lines) {
  const size_t until = ProgressLines(config) + lines;
  const pid_t child = Start(config);
  int status = 0;
  while (ProgressLines(config) < until) {
    if (waitpid(child, &status, WNOHANG) == child) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  kill(child, SIGKILL);
  REQUIRE(waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status);
}

inline nlohmann::json Training(const fs::path& artifact) {
  std::ifstream in(artifact / "training.json");
  return nlohmann::json::parse(in);
}

inline std::string Bytes(const fs::path& file) {
  const auto bytes = ReadFile(file);
  INFO(bytes.status().ToString());
  REQUIRE(bytes.ok());
  return *bytes;
}

inline void CheckSameAfterKills(StageConfig whole, StageConfig killed,
                                const std::vector<std::string>& files) {
  WaitForSuccess(Start(whole));
  int kills = 0;
  for (const size_t lines : {1, 6, 3, 2}) kills += KillAfter(killed, lines);
  CHECK(kills >= 1);  // the machine may have been faster than the later ones
  WaitForSuccess(Start(killed));
  const fs::path a = whole.output(), b = killed.output();
  CHECK(Training(a)["curve"] == Training(b)["curve"]);
  CHECK(Training(a)["curve"].size() == 16);
  for (const auto& file : files) {
    INFO(file);
    CHECK((Bytes(a / file) == Bytes(b / file)));
  }
}

}  // namespace larr::stage
