// SPDX-License-Identifier: Apache-2.0
#include "tools/experiment/experiment.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <set>

#include "absl/strings/str_replace.h"
#include "tests/testing/temp_dir.h"
#include "tests/tools/experiment/sample_experiment.h"

namespace larr::experiment {
namespace {

using config::v1::CtrArchitecture;

TEST_CASE("An arm is laid over the base", "[experiment]") {
  const larr::testing::TempDir dir;
  const Experiment sample = testing::LoadSample(dir.path());
  const Shard a = MakeShard(sample, sample.spec.arms(0), 3);
  CHECK(a.settings.align_size() == 1);
  CHECK(a.settings.align(0).name() == "ple");
  CHECK(a.settings.align(0).seed() == 3);
  CHECK(a.settings.align(0).batch_size() == 100);
  CHECK(a.settings.align(0).alignment_weight() == 0.05);
  CHECK_FALSE(a.settings.has_pretrain());  // It reads no texts.
  CHECK(a.settings.evaluate_only());
  CHECK(a.settings.seed() == 7);

  const Shard b = MakeShard(sample, sample.spec.arms(1), 1);
  CHECK(b.settings.align(0).name() == "larr");
  CHECK(b.settings.align(0).batch_size() == 50);
  CHECK(b.settings.align(0).alignment_weight() == 0);
  CHECK(b.settings.pretrain().steps() == 0);
  CHECK(b.settings.pretrain().max_tokens() == 16);
}

TEST_CASE("An arm may train an encoder for each seed", "[experiment]") {
  const larr::testing::TempDir dir;
  Experiment sample = testing::LoadSample(dir.path());
  auto& arm = *sample.spec.mutable_arms(1);
  const std::string base_seed = MakeShard(sample, arm, 7).text;
  arm.set_encoder_per_seed(true);
  const Shard shard = MakeShard(sample, arm, 3);
  CHECK(shard.settings.seed() == 3);
  CHECK(shard.settings.align(0).seed() == 3);
  CHECK(shard.settings.evaluate().seed() == 7);  // The draws of other arms.
  CHECK(MakeShard(sample, arm, 7).text == base_seed);
}

TEST_CASE("A list replaces the base's, messages are joined", "[experiment]") {
  config::v1::AlignConfig base, over;
  base.set_batch_size(7);
  base.mutable_architecture()->set_tower_width(5);
  base.mutable_architecture()->add_expert_widths(1);
  base.mutable_architecture()->add_expert_widths(2);
  over.mutable_architecture()->set_kind(CtrArchitecture::PLE);
  over.mutable_architecture()->add_expert_widths(9);
  Overlay(over, base);
  CHECK(base.batch_size() == 7);
  CHECK(base.architecture().tower_width() == 5);
  CHECK(base.architecture().kind() == CtrArchitecture::PLE);
  REQUIRE(base.architecture().expert_widths_size() == 1);
  CHECK(base.architecture().expert_widths(0) == 9);
  CHECK_FALSE(ClearField("align.nothing", base).ok());
  CHECK_FALSE(ClearField("batch_size.x", base).ok());
}

TEST_CASE("Shards come seed by seed, as many as an arm has", "[experiment]") {
  const larr::testing::TempDir dir;
  const Experiment sample = testing::LoadSample(dir.path());
  const auto shards = MakeShards(sample);
  REQUIRE(shards.size() == 8);
  CHECK(shards[0].arm == "a");
  CHECK(shards[1].arm == "b");
  CHECK(shards[2].arm == "slow");
  CHECK(shards[3].seed == 2);
  CHECK(shards[7].arm == "b");
  CHECK(MakeShards(sample, 1).size() == 3);
  CHECK(MakeShards(sample, 5).size() == 12);
  std::set<std::string> texts;
  for (const Shard& shard : shards) texts.insert(shard.text);
  CHECK(texts.size() == shards.size());
}

TEST_CASE("Seeds and paths are filled in", "[experiment]") {
  const larr::testing::TempDir dir;
  Experiment sample = testing::LoadSample(dir.path());
  sample.base.set_dataset("data/{size}-{seed}.textproto");
  const Shard shard = MakeShard(sample, sample.spec.arms(1), 4);
  CHECK(shard.settings.dataset() == "data/tiny-4.textproto");
  const auto resolved = Resolve(shard.settings, dir.path());
  CHECK(resolved.dataset() == (dir.path() / "data/tiny-4.textproto").string());
  CHECK(resolved.base_model() == (dir.path() / "model").string());
  CHECK(resolved.embed().vectors_file().empty());
  // A recommender without texts has no language model.
  CHECK(
      MakeShard(sample, sample.spec.arms(0), 4).settings.base_model().empty());
}

TEST_CASE("A wrong file is refused with what to do", "[experiment]") {
  const larr::testing::TempDir dir;
  const std::pair<const char*, const char*> wrongs[] = {
      {"name: \"pair\"", "name: \"other\""},
      {"question: \"Is b above a?\"", ""},
      {"first: \"b\"", "first: \"nobody\""},
      {"name: \"b\"", "name: \"a\""},
      {"name: \"b\"", "name: \"B\""},
      {"cleared: \"pretrain.steps\"", "cleared: \"pretrain.strides\""},
      {"batch_size: 50", "name: \"x\""},
      {"batch_size: 50", "batch_size: -1"},
      {"seeds: 3", "seeds: 3 seed_overlap: -0.5"},
  };
  testing::Write(dir.path() / "base_tiny.textproto", testing::kBaseText);
  for (const auto& [right, wrong] : wrongs) {
    INFO(right << " -> " << wrong);
    testing::Write(dir.path() / "pair.textproto",
                   absl::StrReplaceAll(testing::kSpecText, {{right, wrong}}));
    const auto loaded = LoadExperiment(dir.path(), "pair", "tiny");
    CHECK(absl::IsInvalidArgument(loaded.status()));
    CHECK_THAT(loaded.status().ToString(), Catch::Contains("pair.textproto"));
  }
  CHECK(absl::IsNotFound(LoadExperiment(dir.path(), "x", "tiny").status()));
  CHECK(absl::IsNotFound(LoadExperiment(dir.path(), "pair", "big").status()));
  CHECK(absl::IsNotFound(ExperimentNames(dir.path() / "none").status()));
}

TEST_CASE("Every experiment of the tree is legal at every size",
          "[experiment]") {
  const std::filesystem::path folder =
      std::filesystem::path(std::getenv("LARR_SOURCE_DIR")) / "experiments";
  const auto names = ExperimentNames(folder);
  REQUIRE(names.ok());
  CHECK(names->size() >= 9);
  for (const std::string& name : *names) {
    for (const char* size : {"tiny", "demo", "experiment"}) {
      const auto loaded = LoadExperiment(folder, name, size);
      INFO(loaded.status().ToString());
      CHECK(loaded.ok());
    }
  }
}

}  // namespace
}  // namespace larr::experiment
