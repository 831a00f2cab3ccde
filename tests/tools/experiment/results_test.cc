// SPDX-License-Identifier: Apache-2.0
#include "tools/experiment/results.h"

#include <catch2/catch.hpp>

#include "tests/testing/temp_dir.h"
#include "tests/tools/experiment/sample_experiment.h"

namespace larr::experiment {
namespace {

TEST_CASE("What one call keeps, the next one finds", "[experiment]") {
  const larr::testing::TempDir dir;
  const Experiment sample = testing::LoadSample(dir.path());
  const auto folder = dir.path() / "results/tiny";
  auto results = Results::Read(folder);
  REQUIRE(results.ok());
  CHECK(results->size() == 0);
  const Shard shard = MakeShard(sample, sample.spec.arms(0), 2);
  CHECK(results->Find(shard) == nullptr);
  const Json result = testing::FakeResult(shard, 0.7);
  REQUIRE(results->Add(result).ok());
  CHECK(std::filesystem::exists(
      folder / ("a-s2-" + result["digest"].get<std::string>() + ".json")));

  const auto again = Results::Read(folder);
  REQUIRE(again.ok());
  REQUIRE(again->Find(shard) != nullptr);
  CHECK(*again->Find(shard) == result);
  CHECK(*again->FindDigest(result["digest"].get<std::string>()) == result);
  CHECK(again->Find(MakeShard(sample, sample.spec.arms(0), 1)) == nullptr);
  CHECK(again->FindDigest("000000000000") == nullptr);

  // An arm of another name with the same settings is the same shard.
  Experiment other = sample;
  other.spec.mutable_arms(0)->set_name("renamed");
  CHECK(again->Find(MakeShard(other, other.spec.arms(0), 2)) != nullptr);
}

TEST_CASE("Of results on other data the newest counts", "[experiment]") {
  const larr::testing::TempDir dir;
  const Experiment sample = testing::LoadSample(dir.path());
  const Shard shard = MakeShard(sample, sample.spec.arms(0), 1);
  auto results = Results::Read(dir.path() / "r");
  Json old = testing::FakeResult(shard, 0.6), young = old;
  young["digest"] = "ffffffffffff";
  young["date"] = "2026-02-01T00:00:00Z";
  REQUIRE(results->Add(young).ok());
  REQUIRE(results->Add(old).ok());
  CHECK((*results->Find(shard))["digest"] == "ffffffffffff");
  CHECK((*Results::Read(dir.path() / "r")->Find(shard))["digest"] ==
        "ffffffffffff");
}

TEST_CASE("A file that is no result is named", "[experiment]") {
  const larr::testing::TempDir dir;
  testing::Write(dir.path() / "x.json", "{\"format\": 1");
  const auto results = Results::Read(dir.path());
  CHECK(absl::IsDataLoss(results.status()));
  CHECK_THAT(results.status().ToString(), Catch::Contains("x.json"));
}

TEST_CASE("Time left is told by what is done", "[experiment]") {
  const larr::testing::TempDir dir;
  const Experiment sample = testing::LoadSample(dir.path());
  auto results = Results::Read(dir.path() / "r");
  const auto shards = MakeShards(sample, 1);  // a, b, slow
  const std::vector<std::string> texts = {"t1", "t1", "t1"};
  CHECK(results->EstimateSeconds(shards, texts) < 0);
  Json result = testing::FakeResult(shards[1], 0.6);
  result["stages"] = {{{"id", "embed"}, {"seconds", 100.0}},
                      {{"id", "align/x"}, {"seconds", 10.0}}};
  REQUIRE(results->Add(result).ok());
  // Other texts have to be made once, by the one arm that reads any.
  CHECK(results->EstimateSeconds(shards, texts) == Approx(130));
  CHECK(results->EstimateSeconds(shards, {"t0", "t0", "t0"}) == Approx(30));
  CHECK(results->EstimateSeconds({}, {}) == 0);
}

}  // namespace
}  // namespace larr::experiment
