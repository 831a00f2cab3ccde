// SPDX-License-Identifier: Apache-2.0
#include "tools/experiment/findings.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "tests/testing/temp_dir.h"
#include "tests/tools/experiment/sample_experiment.h"

namespace larr::experiment {
namespace {

struct World {
  larr::testing::TempDir dir;
  Experiment sample = testing::LoadSample(dir.path());
  Results results = *Results::Read(dir.path() / "r");

  void Add(int arm, int seed, double auc) {
    REQUIRE(results
                .Add(testing::FakeResult(
                    MakeShard(sample, sample.spec.arms(arm), seed), auc))
                .ok());
  }
};

TEST_CASE("Claims are judged by what is there", "[experiment]") {
  World world;
  for (int seed = 1; seed <= 3; ++seed) {
    world.Add(0, seed, 0.70 + 0.001 * seed);
    world.Add(1, seed, 0.72 + 0.001 * seed);
  }
  const Findings findings = Collect(world.sample, world.results);
  CHECK(findings.shards == 8);
  CHECK(findings.shards_done == 6);
  REQUIRE(findings.claims.size() == 3);
  CHECK(findings.claims[0].verdict == Verdict::kHeld);
  CHECK(findings.claims[0].difference.value == Approx(0.02));
  CHECK(findings.claims[0].difference.seeds == 3);
  CHECK(findings.claims[1].verdict == Verdict::kNotHeld);  // cold, equal
  CHECK(findings.claims[2].difference.seeds == 0);         // not run
  CHECK(findings.claims[2].verdict == Verdict::kUndecided);
  CHECK(ClaimText(findings, *findings.claims[0].claim) == "b above Arm A");
  CHECK(ClaimText(findings, *findings.claims[1].claim) ==
        "Arm A as good as b, slice cold");
  CHECK(SliceNames(findings) == std::vector<std::string>{"cold", "frequent"});
  CHECK(BayesOf(findings, "ctr_auc") == 0.8);
  CHECK(BayesOf(findings, "ctr_auc", "cold") == 0.75);
  CHECK(std::isnan(BayesOf(findings, "nothing")));
}

TEST_CASE("A slow arm is compared on its own rows", "[experiment]") {
  World world;
  for (int seed = 1; seed <= 2; ++seed) {
    world.Add(0, seed, 0.70);
    world.Add(2, seed, 0.60);
  }
  const Findings findings = Collect(world.sample, world.results);
  const ArmFindings& a = *findings.Find("a");
  const ArmFindings& slow = *findings.Find("slow");
  CHECK(slow.sample_only);
  CHECK_FALSE(a.sample_only);
  // 0.699 is what the fast arm has on the sample.
  CHECK(CompareArms(a, slow, "ctr_auc").value == Approx(0.099));
  CHECK(CompareArms(slow, a, "ctr_auc").value == Approx(-0.099));
  CHECK(CompareArms(a, slow, "ctr_auc", "cold").seeds == 0);
  CHECK(SamplesOf(a, "ctr_auc", "cold").at(2).value == Approx(0.65));
  CHECK(SamplesOf(a, "ctr_auc").at(1).draws.size() == 20);
  CHECK(SamplesOf(a, "ctcvr_auc").at(1).draws.empty());
}

TEST_CASE("More seeds than were asked for count", "[experiment]") {
  World world;
  world.Add(0, 1, 0.70);
  world.Add(0, 9, 0.72);
  const Findings findings = Collect(world.sample, world.results);
  CHECK(SamplesOf(*findings.Find("a"), "ctr_auc").size() == 2);
  CHECK(findings.shards_done == 1);
}

}  // namespace
}  // namespace larr::experiment
