// SPDX-License-Identifier: Apache-2.0
//
// `./larr experiment` for real on the tiny city, in a checkout of links: killed
// in the midst of a language model's training and called again, with one arm
// that cannot be trained.
#include <signal.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "common/base/files.h"
#include "tests/testing/program.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr char kPair[] = R"pb(
  name: "pair"
  title: "A pair"
  question: "Does the line work?"
  seeds: 2
  arms {
    name: "ple"
    title: "PLE"
    training { align { architecture { kind: PLE } } }
  }
  arms {
    name: "larr"
    title: "LARR"
    training { align { architecture { kind: LARR } } }
  }
  arms {
    name: "broken"
    training {
      pretrain { frozen_layers: 99 }
      align { architecture { kind: LARR } }
    }
    seeds: 1
  }
  claims { first: "larr" second: "ple" }
)pb";

// A checkout as far as experiments go.
class Checkout {
 public:
  Checkout() {
    const fs::path source = std::getenv("LARR_SOURCE_DIR");
    for (const char* folder : {"tools", "tests"})
      fs::create_directory_symlink(source / folder, dir_.path() / folder);
    fs::create_directory(dir_.path() / "experiments");
    fs::copy(source / "experiments/base_tiny.textproto",
             dir_.path() / "experiments");
    REQUIRE(
        WriteFileAtomically(dir_.path() / "experiments/pair.textproto", kPair)
            .ok());
  }
  // Stages that a killed call left behind.
  ~Checkout() {
    for (const auto& entry : fs::directory_iterator("/proc")) {
      const std::string name = entry.path().filename();
      if (name.find_first_not_of("0123456789") != std::string::npos) continue;
      const auto command = ReadFile(entry.path() / "cmdline");
      if (command.ok() &&
          command->find(dir_.path().string()) != std::string::npos)
        kill(std::stoi(name), SIGKILL);
    }
  }

  testing::Program Start() const {
    return testing::Program(
        {path("tools/experiment/run.sh"), "pair", "--size=tiny"}, path("log"));
  }
  std::string path(const std::string& name) const { return dir_.path() / name; }
  std::string log() const { return *ReadFile(path("log")); }

  // The results by arm and seed, e.g. `ple-s1`.
  std::map<std::string, json> Results() const {
    std::map<std::string, json> results;
    for (const auto& entry :
         fs::directory_iterator(path("experiments/results/tiny"))) {
      const std::string name = entry.path().filename();
      CHECK(fs::file_size(entry.path()) < 60'000);
      results[name.substr(0, name.rfind('-'))] =
          json::parse(*ReadFile(entry.path()));
    }
    return results;
  }

 private:
  const testing::TempDir dir_;
};

// Whether a run of the checkout is in the midst of stage 2.
bool InContrast(const Checkout& checkout) {
  std::error_code error;
  for (const auto& run : fs::directory_iterator(
           checkout.path("out/experiment/tiny/artifacts/runs"), error)) {
    if (fs::exists(run.path() / "contrast.work/progress.jsonl")) return true;
  }
  return false;
}

TEST_CASE("An experiment that was killed goes on, and is reported",
          "[integration]") {
  const Checkout checkout;
  {
    testing::Program first = checkout.Start();
    const bool reached = testing::Eventually(
        [&] { return InContrast(checkout) || !first.Lives(); },
        std::chrono::seconds(120));
    INFO(checkout.log());
    REQUIRE(reached);
    REQUIRE(first.Lives());
    first.Kill();
  }
  const int status = checkout.Start().Wait();
  INFO(checkout.log());
  CHECK(status == 1);  // the broken arm
  CHECK_THAT(checkout.log(),
             Catch::Contains("failed: broken seed 1") &&
                 Catch::Contains("1 shards failed; the others"));
  const auto results = checkout.Results();
  REQUIRE(results.size() == 4);
  for (const char* name : {"ple-s1", "ple-s2", "larr-s1", "larr-s2"}) {
    INFO(name);
    REQUIRE(results.contains(name));
    const json& result = results.at(name);
    const double auc = result["metrics"]["test"]["ctr_auc"];
    CHECK(auc > 0.3);
    CHECK(auc < result["bayes"]["test"]["ctr_auc"]);
    CHECK(result["curves"].contains("align"));
    CHECK(result["seconds"] > 0);
    CHECK(result["metrics"]["test"]["slices"].contains("cold"));
  }
  CHECK(results.at("ple-s1")["metrics"]["test"]["ctr_auc"] !=
        results.at("ple-s2")["metrics"]["test"]["ctr_auc"]);
  CHECK(results.at("larr-s1")["contrast"].contains("after"));
  const json& regions = results.at("larr-s2")["recall"]["regions"];
  REQUIRE(regions.size() == 12);
  CHECK(regions[0].size() == 3);  // Few of many numbers are kept.
  CHECK(results.at("larr-s1")["texts"] == results.at("larr-s2")["texts"]);

  const std::string page =
      *ReadFile(checkout.path("out/experiment/tiny/report/pair.html"));
  CHECK_THAT(page, Catch::Contains("LARR above PLE") &&
                       Catch::Contains("Not finished: 4 of 5"));
  CHECK(fs::exists(checkout.path("out/experiment/tiny/report/index.html")));
}

}  // namespace
}  // namespace larr
