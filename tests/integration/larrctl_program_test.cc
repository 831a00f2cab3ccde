// SPDX-License-Identifier: Apache-2.0
//
// The real larrctl against the real larr_coordinator, whose stages are real
// processes (see tests/testing/fake_stage.cc for what they do).

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "common/base/files.h"
#include "tests/integration/coordinator_fixture.h"
#include "tests/testing/shell.h"

namespace larr {
namespace {

constexpr char kSpec[] = R"pb(
  dataset: "dataset.textproto"
  base_model: "model"
  contrast { max_tokens: 64 }
  align {
    name: "ple"
    architecture { kind: PLE }
  }
)pb";

struct Outcome {
  int code = -1;
  std::string out;  // and what was said on stderr
};

config::v1::CoordinatorConfig Config() {
  config::v1::CoordinatorConfig config;
  config.set_stage_program(FAKE_STAGE);
  return config;
}

class LarrctlProgramTest : public testing::CoordinatorFixture {
 public:
  LarrctlProgramTest() : CoordinatorFixture(COORDINATOR, Config()) {
    std::filesystem::create_directories(path("model"));
    Write("dataset.textproto", "name: 'city' tabular_features { name: 'id' }");
    Write("spec.textproto", kSpec);
  }

 protected:
  void Write(const std::string& name, const std::string& text) const {
    REQUIRE(WriteFileAtomically(path(name), text).ok());
  }
  Outcome Larrctl(const std::string& arguments) const {
    const std::string command = "cd " + dir_.path().string() + "; " + LARRCTL +
                                " --coordinator " + coordinator_->address() +
                                " " + arguments + " >out 2>&1";
    const int status = std::system(command.c_str());
    return {testing::ExitCode(status), *ReadFile(dir_.path() / "out")};
  }
};

TEST_CASE_METHOD(LarrctlProgramTest,
                 "larrctl takes a run from its spec to a champion",
                 "[integration]") {
  const Outcome created =
      Larrctl("run create spec.textproto --id first --watch");
  INFO(created.out);
  REQUIRE(created.code == 0);
  CHECK_THAT(created.out,
             Catch::Contains("publish: SUCCEEDED") &&
                 Catch::Contains("published models/city/versions/1"));
  CHECK(Larrctl("run create spec.textproto --id second --watch").code == 0);

  const Outcome list = Larrctl("run list -o json");
  CHECK(nlohmann::json::parse(list.out)["training_runs"].size() == 2);
  CHECK_THAT(Larrctl("run logs first corpus").out,
             Catch::Contains("working on"));
  CHECK_THAT(Larrctl("model list").out,
             Catch::Contains("models/city/versions/2  champion"));
  CHECK(Larrctl("model promote city/1 --reason try").code == 0);
  CHECK_THAT(Larrctl("model list city").out,
             Catch::Contains("models/city/versions/1  champion"));
  CHECK(Larrctl("model rollback city --actor me").code == 0);
  const auto moves =
      nlohmann::json::parse(Larrctl("model history city -o json").out);
  REQUIRE(moves["alias_moves"].size() == 4);
  CHECK(moves["alias_moves"][0]["actor"] == "me");
  CHECK(moves["alias_moves"][0]["to_version"] == "models/city/versions/2");
  CHECK(moves["alias_moves"][1]["reason"] == "try");
}

TEST_CASE_METHOD(LarrctlProgramTest,
                 "larrctl cancels, resumes and reports failures",
                 "[integration]") {
  Write("behaviour", "corpus slow\npretrain fail");
  CHECK(Larrctl("run create spec.textproto --id a").code == 0);
  CHECK(Larrctl("run cancel a").code == 0);
  const Outcome cancelled = Larrctl("run watch a");
  CHECK(cancelled.code == 1);
  CHECK_THAT(cancelled.out, Catch::Contains("larrctl run resume"));

  Write("behaviour", "pretrain fail");
  CHECK(Larrctl("run resume a").code == 0);
  const Outcome failed = Larrctl("run watch a");
  CHECK(failed.code == 1);
  CHECK_THAT(failed.out, Catch::Contains("told to fail"));

  Write("behaviour", "");
  CHECK(Larrctl("run resume trainingRuns/a").code == 0);
  CHECK(Larrctl("run watch a -o json").code == 0);
  CHECK(Larrctl("run get nobody").code == 1);
  Write("spec.textproto", "dataset: 'nowhere' base_model: 'model'");
  const Outcome wrong = Larrctl("run create spec.textproto");
  CHECK(wrong.code != 0);
}

}  // namespace
}  // namespace larr
