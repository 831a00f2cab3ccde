// SPDX-License-Identifier: Apache-2.0
#include "services/stage/stage.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "common/base/files.h"
#include "tests/testing/temp_dir.h"

namespace larr::stage {
namespace {

std::vector<nlohmann::json> Lines(const std::filesystem::path& path) {
  std::istringstream in(ReadFile(path).value());
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(in, line);)
    if (!line.empty())
      lines.push_back(nlohmann::json::parse(line, nullptr, false));
  return lines;
}

}  // namespace

TEST_CASE("Progress goes on after a restart, even behind a torn line",
          "[stage]") {
  const testing::TempDir dir;
  const auto path = dir.path() / "progress.jsonl";
  REQUIRE(WriteFileAtomically(path,
                              "{\"step\":1,\"elapsed\":7.5}\n{\"step\":2,\"ela")
              .ok());
  ProgressWriter progress(dir.path());
  progress.Report(3, 9, 1.25, 800, "tokens/s");
  progress.Report(4, 9, std::nan(""), 800, "texts/s");
  const auto lines = Lines(path);
  REQUIRE(lines.size() == 4);
  CHECK(lines[2]["step"] == 3);
  CHECK(lines[2]["loss"] == 1.25);
  CHECK(lines[2]["elapsed"] >= 7.5);
  CHECK_FALSE(lines[3].contains("loss"));
}

TEST_CASE("A missing input is named", "[stage]") {
  const testing::TempDir dir;
  config::v1::StageConfig config;
  (*config.mutable_inputs())["corpus"] = "/a/corpus";
  const StageContext context{config, ProgressWriter(dir.path())};
  CHECK(context.Input("corpus").value() == "/a/corpus");
  const auto missing = context.Input("embed").status();
  CHECK(absl::IsInvalidArgument(missing));
  CHECK(std::string(missing.message()).find("`embed`") != std::string::npos);
  CHECK(context.threads() >= 1);
}

TEST_CASE("A work folder belongs to one set of settings", "[stage]") {
  const testing::TempDir dir;
  config::v1::StageConfig config;
  config.set_work(dir.path());
  const StageContext context{config, ProgressWriter(dir.path())};
  CHECK(context.ClaimWork("steps: 3").ok());
  CHECK(context.ClaimWork("steps: 3").ok());
  const absl::Status other = context.ClaimWork("steps: 4");
  CHECK(absl::IsFailedPrecondition(other));
  CHECK(std::string(other.message()).find(dir.path()) == 0);
}

}  // namespace larr::stage
