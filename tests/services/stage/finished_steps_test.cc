// SPDX-License-Identifier: Apache-2.0
#include "services/stage/finished_steps.h"

#include <catch2/catch.hpp>

#include "common/base/files.h"
#include "tests/testing/temp_dir.h"

namespace larr::stage {
namespace {

// A stage's first `count` steps: step i writes the file i and notes its name.
void Run(const std::filesystem::path& folder, const std::string& identity,
         size_t count) {
  auto steps = FinishedSteps::Open(folder, identity);
  REQUIRE(steps.ok());
  while (steps->count() < count) {
    const std::string name = std::to_string(steps->count());
    REQUIRE(WriteFileAtomically(folder / name, "of " + identity).ok());
    steps->notes()["step " + name] = identity;
    REQUIRE(steps->Finish().ok());
  }
}

TEST_CASE("A stage goes on at the first unfinished step", "[stage]") {
  const testing::TempDir dir;
  const auto folder = dir.path() / "steps";
  Run(folder, "a", 2);
  {  // A step that is killed: its file and its notes do not count.
    auto steps = FinishedSteps::Open(folder, "a");
    REQUIRE(WriteFileAtomically(folder / "2", "half").ok());
    steps->notes()["step 2"] = "half";
  }
  auto steps = FinishedSteps::Open(folder, "a");
  REQUIRE(steps.ok());
  CHECK(steps->count() == 2);
  CHECK(steps->notes().dump() == R"({"step 0":"a","step 1":"a"})");
  CHECK(ReadFile(folder / "1").value() == "of a");
}

TEST_CASE("Steps of other settings or inputs are removed", "[stage]") {
  const testing::TempDir dir;
  const auto folder = dir.path() / "steps";
  Run(folder, "a", 3);
  const auto steps = FinishedSteps::Open(folder, "b");
  REQUIRE(steps.ok());
  CHECK(steps->count() == 0);
  CHECK(std::filesystem::is_empty(folder));
}

TEST_CASE("Steps that cannot be read are removed", "[stage]") {
  const testing::TempDir dir;
  const auto folder = dir.path() / "steps";
  Run(folder, "a", 3);
  REQUIRE(WriteFileAtomically(folder / "steps.json", "{\"ident").ok());
  CHECK(FinishedSteps::Open(folder, "a")->count() == 0);
  CHECK(std::filesystem::is_empty(folder));
}

TEST_CASE("A folder that cannot be made is named", "[stage]") {
  const testing::TempDir dir;
  REQUIRE(WriteFileAtomically(dir.path() / "file", "").ok());
  CHECK_THAT(
      FinishedSteps::Open(dir.path() / "file/steps", "a").status().ToString(),
      Catch::Contains("file/steps"));
}

}  // namespace
}  // namespace larr::stage
