// SPDX-License-Identifier: Apache-2.0
//
// `larrctl experiment` where it needs no coordinator.
#include <catch2/catch.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "common/base/files.h"
#include "tests/testing/shell.h"
#include "tests/testing/temp_dir.h"
#include "tests/tools/experiment/sample_experiment.h"

namespace larr::experiment {
namespace {

// A folder of experiments with results of one arm.
struct World {
  larr::testing::TempDir dir;

  World() {
    const Experiment sample = testing::LoadSample(folder());
    auto results = Results::Read(folder() / "results/tiny");
    REQUIRE(results.ok());
    for (int seed = 1; seed <= 3; ++seed)
      REQUIRE(results
                  ->Add(testing::FakeResult(
                      MakeShard(sample, sample.spec.arms(0), seed), 0.7))
                  .ok());
  }
  std::filesystem::path folder() const { return dir.path() / "experiments"; }
  larr::testing::Outcome Larrctl(const std::string& arguments) const {
    return larr::testing::Shell("cd " + dir.path().string() + "; " +
                                larr::testing::Bin("larrctl") + " experiment " +
                                arguments + " --size tiny");
  }
};

TEST_CASE("larrctl experiment list tells what is left", "[larrctl]") {
  const World world;
  const auto list = world.Larrctl("list");
  INFO(list.out);
  CHECK(list.code == 0);
  CHECK_THAT(list.out, Catch::Contains("EXPERIMENT") &&
                           Catch::Contains("pair") && Catch::Contains("3/8") &&
                           Catch::Contains("1 min"));
  const auto json = nlohmann::json::parse(world.Larrctl("list -o json").out);
  CHECK(json[0]["done"] == 3);
  CHECK(world.Larrctl("list nothing").code == 1);
}

TEST_CASE("larrctl experiment report needs results alone", "[larrctl]") {
  const World world;
  const auto report = world.Larrctl("report --out pages --markdown all.md");
  INFO(report.out);
  CHECK(report.code == 0);
  CHECK_THAT(report.out, Catch::Contains("pages/index.html"));
  CHECK_THAT(*ReadFile(world.dir.path() / "all.md"),
             Catch::Contains("| Arm A | 0.7000 ± 0.0000 |"));
  CHECK(std::filesystem::exists(world.dir.path() / "pages/pair.html"));
}

TEST_CASE("What is no online test stops the report", "[larrctl]") {
  const World world;
  const auto path = world.folder() / "online-test/tiny.json";
  REQUIRE(MakeFolder(path.parent_path()).ok());
  REQUIRE(WriteFileAtomically(path, "{}").ok());
  const auto report = world.Larrctl("report --out pages");
  INFO(report.out);
  CHECK(report.code == 1);
  CHECK_THAT(report.out, Catch::Contains("online-test/tiny.json") &&
                             Catch::Contains("larr_market"));
}

TEST_CASE("A shard whose data is not there fails alone", "[larrctl]") {
  const World world;
  const auto run = world.Larrctl("run pair --seeds 1");
  INFO(run.out);
  CHECK(run.code == 1);
  CHECK_THAT(run.out, Catch::Contains("failed: a seed 1") &&
                          Catch::Contains("dataset.textproto") &&
                          Catch::Contains("3 shards failed"));
}

}  // namespace
}  // namespace larr::experiment
