// SPDX-License-Identifier: Apache-2.0
//
// The scripts of tools/runs, each in a few seconds, with a model that scores
// in no time. Their bounds on latency are for a machine of their own, and that on
// memory is for many switches: here they may be missed.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "tests/services/scoring/scoring_artifacts.h"
#include "tests/testing/shell.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using testing::Outcome;

struct Run {
  // `settings`: variables before the command.
  Outcome operator()(const std::string& settings, const std::string& script,
                     const std::string& options) const {
    const testing::Artifacts& shared = testing::SharedArtifacts();
    Outcome outcome = testing::Shell(
        settings + " " + std::getenv("LARR_SOURCE_DIR") + "/tools/runs/" +
        script + " " + shared.model + " " + shared.snapshot + " " +
        out.path().string() + " --candidates 3 --count 20 " + options);
    UNSCOPED_INFO(outcome.out);
    return outcome;
  }
  bool Wrote(const char* file) const {
    return std::filesystem::exists(out.path() / file);
  }

  testing::TempDir out;
};

TEST_CASE("switch.sh switches under load and fails no call", "[runs]") {
  const Run run;
  const Outcome outcome =
      run("SWITCHES=6 CAPACITY=50", "switch.sh", "--deadline 20000");
  CHECK(outcome.code <= 1);
  CHECK_THAT(outcome.out, Catch::Contains("\n6 switches, ") &&
                              Catch::Contains("met    failed calls: 0\n") &&
                              Catch::Contains(" resident memory"));
  CHECK(run.Wrote("switching.json"));
}

TEST_CASE("overload.sh drives all steps and judges them", "[runs]") {
  const Run run;
  const Outcome outcome = run("", "overload.sh", "--capacity 100 --seconds 1");
  CHECK(outcome.code <= 1);
  CHECK_THAT(outcome.out, Catch::Contains(" recovery: ") &&
                              Catch::Contains(" 2x goodput of peak: ") &&
                              Catch::Contains(" 5x accepted p99: "));
  CHECK(run.Wrote("overload.html"));
}

TEST_CASE("idle.sh keeps connections that cost little", "[runs]") {
  const Run run;
  const Outcome outcome =
      run("CONNECTIONS=1000", "idle.sh", "--seconds 2 --deadline 20000");
  CHECK(outcome.code == 0);
  CHECK_THAT(outcome.out, Catch::Contains("\n1000 idle connections, ") &&
                              Catch::Contains("met    failed calls: 0\n") &&
                              Catch::Contains("met    connections closed") &&
                              Catch::Contains("met    kB a connection"));
}

TEST_CASE("Without arguments they say how they are called", "[runs]") {
  for (const std::string script : {"switch.sh", "overload.sh", "idle.sh"}) {
    const Outcome outcome = testing::Shell(
        std::string(std::getenv("LARR_SOURCE_DIR")) + "/tools/runs/" + script);
    CHECK(outcome.code == 2);
    CHECK_THAT(outcome.out, Catch::Contains("MODEL SNAPSHOT [OUT]"));
  }
}

}  // namespace
}  // namespace larr
