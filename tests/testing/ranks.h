// SPDX-License-Identifier: Apache-2.0
//
// A test case of this very program, or another program, as several processes
// that torchrun's environment tells apart. Such a case is hidden (`[.]`) from
// other runs.
#pragma once

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "common/base/files.h"
#include "common/llm/process_group.h"
#include "tests/testing/free_port.h"
#include "tests/testing/program.h"

namespace larr::testing {

class Ranks {
 public:
  // `folder`: for logs, and what the processes leave there.
  Ranks(int count, const std::string& test_case, std::filesystem::path folder)
      : Ranks(count,
              std::vector<std::string>{
                  std::filesystem::read_symlink("/proc/self/exe"), test_case},
              std::move(folder)) {}
  Ranks(int count, const std::vector<std::string>& command,
        std::filesystem::path folder)
      : folder_(std::move(folder)) {
    const std::string port = std::to_string(FreePort());
    for (int rank = 0; rank < count; ++rank) {
      const std::string number = std::to_string(rank);
      std::vector<std::string> arguments = {
          "/usr/bin/env",          "RANK=" + number,
          "LOCAL_RANK=" + number,  "WORLD_SIZE=" + std::to_string(count),
          "MASTER_ADDR=127.0.0.1", "MASTER_PORT=" + port,
          "OMP_NUM_THREADS=1",     "LARR_RANKS_FOLDER=" + folder_.string()};
      arguments.insert(arguments.end(), command.begin(), command.end());
      programs_.push_back(
          std::make_unique<Program>(std::move(arguments), LogFile(rank)));
    }
  }
  Program& operator[](int rank) { return *programs_[rank]; }
  std::filesystem::path LogFile(int rank) const {
    return folder_ / ("rank-" + std::to_string(rank) + ".log");
  }
  std::string Log(int rank) const { return ReadFile(LogFile(rank)).value(); }

  // All must end well.
  void Finish() {
    for (size_t rank = 0; rank < programs_.size(); ++rank) {
      const int status = programs_[rank]->Wait();
      INFO(Log(static_cast<int>(rank)));
      CHECK(status == 0);
    }
  }

 private:
  std::filesystem::path folder_;
  std::vector<std::unique_ptr<Program>> programs_;
};

// Inside such a process.
inline std::filesystem::path RanksFolder() {
  return std::getenv("LARR_RANKS_FOLDER");
}
inline std::unique_ptr<ProcessGroup> JoinRanks(
    const ProcessGroupOptions& options = {}) {
  const auto launch = ReadLaunch();
  REQUIRE(launch.ok());
  auto group = ProcessGroup::Join(*launch, options);
  INFO(group.status().ToString());
  REQUIRE(group.ok());
  return *std::move(group);
}

}  // namespace larr::testing
