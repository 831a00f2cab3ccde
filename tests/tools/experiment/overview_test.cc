// SPDX-License-Identifier: Apache-2.0
#include "tools/experiment/overview.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "common/base/files.h"
#include "tests/testing/temp_dir.h"
#include "tests/tools/experiment/sample_experiment.h"
#include "tools/experiment/experiment_report.h"

namespace larr::experiment {
namespace {

struct World {
  larr::testing::TempDir dir;
  Experiment sample = testing::LoadSample(dir.path());
  Experiment empty = sample;
  Results results = *Results::Read(dir.path() / "r");

  World() {
    empty.spec.set_name("unrun");
    empty.spec.set_title("Nobody ran it");
    for (auto& arm : *empty.spec.mutable_arms())
      arm.mutable_training()->mutable_align(0)->set_epochs(9);
    for (int seed = 1; seed <= 3; ++seed) {
      Add(0, seed, 0.70 + 0.001 * seed);
      Add(1, seed, 0.72 + 0.001 * seed);
    }
    Add(2, 1, 0.6);
  }
  void Add(int arm, int seed, double auc) {
    REQUIRE(results
                .Add(testing::FakeResult(
                    MakeShard(sample, sample.spec.arms(arm), seed), auc))
                .ok());
  }
  std::vector<Findings> All() const {
    return {Collect(empty, results), Collect(sample, results)};
  }
  Evidence AllWith(const std::string& limits) const {
    return {.experiments = All(), .size = "tiny", .limits = limits};
  }
};

TEST_CASE("The headline counts claims and tells the first", "[experiment]") {
  const World world;
  CHECK_THAT(Headline(world.All()),
             Catch::StartsWith("b above Arm A: held, by +0.0200 CTR AUC [") &&
                 Catch::Contains("over 3 seeds (0.7220 ± 0.0010 against 0.7020 "
                                 "± 0.0010; Bayes bound 0.8000)") &&
                 Catch::Contains("Of 2 different claims that were tried with "
                                 "three seeds or more, "));
  CHECK(Headline({}) == "No claim has results yet.");
}

TEST_CASE("Headlines that are not held stand beside the one that is",
          "[experiment]") {
  World world;
  CHECK(HeadlineMisses(world.All()).empty());
  for (auto& claim : *world.sample.spec.mutable_claims())
    claim.set_headline(true);
  CHECK(HeadlineMisses(world.All()) ==
        "Headline claims that are not held: Arm A as good as b, slice cold "
        "(`pair`).");
  // One pair of seeds that says the opposite.
  world.Add(0, 4, 0.8);
  world.Add(1, 4, 0.7);
  const std::string misses = HeadlineMisses(world.All());
  CHECK(misses ==
        "Headline claims that are undecided: b above Arm A (`pair`), Arm A as "
        "good as b, slice cold (`pair`).");
  const auto lead = MakeOverview(world.AllWith(""), false).lead;
  CHECK(std::count(lead.begin(), lead.end(), misses) == 1);
}

TEST_CASE("The Markdown copy begins with headline and limits", "[experiment]") {
  const World world;
  const std::string text =
      OverviewMarkdown(world.AllWith("Few rows."), "all.svg");
  const size_t headline = text.find("b above Arm A: held");
  REQUIRE(headline != std::string::npos);
  CHECK(headline < text.find("Few rows."));
  CHECK(text.find("Few rows.") < text.find("Two arms"));
  CHECK_THAT(text, Catch::Contains("| Nobody ran it (`unrun`) |") &&
                       Catch::Contains("| not run (0 of 8) |") &&
                       !Catch::Contains("## Nobody ran it") &&
                       Catch::Contains("## Two arms") &&
                       Catch::Contains("| Arm A | 0.7020 ± 0.0010 |") &&
                       Catch::Contains("| 0.6100 |") &&
                       Catch::Contains("| Bayes bound | 0.8000 |") &&
                       Catch::Contains("\n| b above Arm A | +0.0200 [+0.0200, "
                                       "+0.0200] | +0.0200 [") &&
                       Catch::Contains("Not finished: 7 of 8") &&
                       Catch::Contains("slow (sample)"));
  CHECK_FALSE(text.ends_with("\n\n"));
}

TEST_CASE("The picture has the headlines among the claims", "[experiment]") {
  World world;
  world.sample.spec.mutable_claims(0)->set_headline(true);
  const std::string svg = HeadlineFigure(world.All());
  CHECK_THAT(svg, Catch::Contains("b above Arm A") &&
                      Catch::Contains(">+0.0200<") &&
                      !Catch::Contains("as good as"));
  CHECK_THAT(OverviewMarkdown(world.AllWith(""), "all.svg"),
             Catch::Contains("](all.svg)"));
}

TEST_CASE("An online test stands beside the experiments", "[experiment]") {
  const World world;
  Evidence evidence = world.AllWith("");
  evidence.online_tests["online-test"] = {
      "The online test", {"Clicks differ."}, {}};
  const std::string text = OverviewMarkdown(evidence, "all.svg");
  CHECK_THAT(text, Catch::Contains("\n\nClicks differ.\n\n") &&
                       Catch::Contains("| The online test |") &&
                       Catch::Contains("## The online test"));
  const auto out = world.dir.path() / "pages";
  REQUIRE(WritePages(evidence, out).ok());
  CHECK_THAT(*ReadFile(out / "index.html"),
             Catch::Contains("[The online test](online-test.html)"));
  CHECK_THAT(*ReadFile(out / "online-test.html"),
             Catch::Contains("Clicks differ."));
}

TEST_CASE("Pages are written for every experiment", "[experiment]") {
  const World world;
  const auto out = world.dir.path() / "pages";
  REQUIRE(WritePages(world.AllWith(""), out).ok());
  CHECK_THAT(*ReadFile(out / "index.html"),
             Catch::Contains("[Two arms](pair.html)") &&
                 !Catch::Contains("index.html"));
  CHECK_THAT(*ReadFile(out / "pair.html"),
             Catch::Contains("settings of Arm A, seed 1") &&
                 Catch::Contains("[All experiments](index.html)") &&
                 Catch::Contains("\"diagonal\":true"));
  CHECK(std::filesystem::exists(out / "unrun.html"));
}

}  // namespace
}  // namespace larr::experiment
