// SPDX-License-Identifier: Apache-2.0
#include "services/coordinator/settings.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

absl::StatusOr<CoordinatorSettings> Load(const std::string& text) {
  const testing::TempDir dir;
  std::ofstream(dir.path() / "config") << text;
  return LoadCoordinatorSettings(dir.path() / "config");
}

constexpr char kGood[] =
    "state_dir: '/state' artifact_root: 'artifacts' stage_program: '/bin/sh' ";

TEST_CASE("Settings get their defaults and absolute paths", "[settings]") {
  const auto settings = Load(kGood);
  REQUIRE(settings.ok());
  CHECK(settings->state_dir == "/state");
  CHECK(settings->coordinator.artifact_root ==
        std::filesystem::current_path() / "artifacts");
  CHECK(settings->coordinator.scheduler.cpu_slots == 1);
  CHECK(settings->coordinator.scheduler.max_stage_restarts == 3);
  CHECK(
      Load(fmt::format("{}gpus: [2, 0]", kGood))->coordinator.scheduler.gpus ==
      std::vector<int>{0, 2});
}

TEST_CASE("Settings that cannot work are refused", "[settings]") {
  const struct {
    std::string text;
    const char* message;
  } cases[] = {
      {"state_dir: '/s' artifact_root: '/a'", "`stage_program` is not set"},
      {"state_dir: '/s' artifact_root: '/a' stage_program: '/etc/passwd'",
       "/etc/passwd is not a program"},
      {"artifact_root: '/a' stage_program: '/bin/sh'",
       "`state_dir` is not set"},
      {fmt::format("{}cpu_slots: -1", kGood), "`cpu_slots` is -1"},
      {fmt::format("{}gpus: [1, 1]", kGood), "each GPU once"},
      {fmt::format("{}gpu: 1", kGood), "config:1:"},
  };
  for (const auto& c : cases) {
    const absl::Status status = Load(c.text).status();
    INFO(status.ToString());
    CHECK(absl::IsInvalidArgument(status));
    CHECK(std::string(status.message()).find(c.message) != std::string::npos);
  }
}

TEST_CASE("The example that ships can be read", "[settings]") {
  const std::filesystem::path source = std::getenv("LARR_SOURCE_DIR");
  const absl::Status status =
      LoadCoordinatorSettings(source / "deploy/config/coordinator.textproto")
          .status();
  // Only the program is not where a container has it.
  CHECK(std::string(status.message()).find("is not a program") !=
        std::string::npos);
}

}  // namespace
}  // namespace larr
