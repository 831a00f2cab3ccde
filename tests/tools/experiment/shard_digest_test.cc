// SPDX-License-Identifier: Apache-2.0
#include "tools/experiment/shard_digest.h"

#include <catch2/catch.hpp>

#include "tests/testing/temp_dir.h"
#include "tests/tools/experiment/sample_experiment.h"

namespace larr::experiment {
namespace {

constexpr char kDataset[] =
    "name: 'd' impressions { path: 'impressions' click_column: 'c' }";

// A folder of experiments with data and a language model.
void Fill(const std::filesystem::path& folder) {
  testing::Write(folder / "data/dataset.textproto", kDataset);
  testing::Write(folder / "data/impressions/a.parquet", "12345");
  testing::Write(folder / "model/config.json", "{}");
  testing::Write(folder / "model/model.safetensors", "weights");
}

struct World {
  larr::testing::TempDir dir;
  Experiment sample = testing::LoadSample(dir.path());

  World() { Fill(dir.path()); }
  ShardDigest Of(int arm, int seed) const {
    ShardDigests digests(dir.path());
    const auto digest =
        digests.Of(MakeShard(sample, sample.spec.arms(arm), seed));
    INFO(digest.status().ToString());
    REQUIRE(digest.ok());
    return *digest;
  }
};

TEST_CASE("A shard is what it is made from, wherever that lies",
          "[experiment]") {
  const World here, there;
  const ShardDigest first = here.Of(0, 1);
  CHECK(first.digest.size() == 12);
  CHECK(first.digest == there.Of(0, 1).digest);
  CHECK(RunId(first) == "x-" + first.digest);
  CHECK(first.digest != here.Of(0, 2).digest);
  CHECK(first.digest != here.Of(1, 1).digest);
  // The language model's stages know nothing of the recommender's seed.
  CHECK(first.texts == here.Of(0, 2).texts);
  CHECK(first.texts != here.Of(1, 1).texts);
  CHECK(first.base_model.empty());
  CHECK_THAT(here.Of(1, 1).base_model, Catch::StartsWith("model@"));
}

TEST_CASE("Settings that none of its stages reads are not part of a shard",
          "[experiment]") {
  World world;
  const ShardDigest without_texts = world.Of(0, 1), with_texts = world.Of(1, 1);
  const auto text = [&] {
    return MakeShard(world.sample, world.sample.spec.arms(0), 1).text;
  };
  const std::string before = text();
  world.sample.base.mutable_contrast()->set_steps(3);
  world.sample.base.mutable_pretrain()->set_max_tokens(17);
  world.sample.base.mutable_corpus()->set_max_pairs(9);
  CHECK(world.Of(0, 1).digest == without_texts.digest);
  CHECK(text() == before);  // Reports find its result by that.
  CHECK(world.Of(1, 1).digest != with_texts.digest);
}

TEST_CASE("Words and random vectors know nothing of a language model",
          "[experiment]") {
  World world;
  auto& training = *world.sample.spec.mutable_arms(1)->mutable_training();
  const auto encoder = GENERATE(config::v1::RANDOM, config::v1::BAG_OF_WORDS,
                                config::v1::LANGUAGE_MODEL);
  training.set_encoder(encoder);
  const ShardDigest before = world.Of(1, 1);
  testing::Write(world.dir.path() / "model/model.safetensors", "Weights");
  const bool is_same = world.Of(1, 1).digest == before.digest;
  CHECK(is_same == (encoder != config::v1::LANGUAGE_MODEL));
}

TEST_CASE("Other data or another model is another shard", "[experiment]") {
  const World world;
  const auto& folder = world.dir.path();
  const ShardDigest before = world.Of(0, 1);
  testing::Write(folder / "data/impressions/a.parquet", "123456");
  const ShardDigest longer = world.Of(0, 1);
  CHECK(longer.digest != before.digest);
  CHECK(longer.base_model == before.base_model);
  const ShardDigest with_texts = world.Of(1, 1);
  testing::Write(folder / "model/model.safetensors", "Weights");
  CHECK(world.Of(1, 1).digest != with_texts.digest);

  // A city is what its generator was asked for, not its files.
  testing::Write(folder / "data/city.json", R"({"options": {"seed": 1}})");
  const ShardDigest city = world.Of(0, 1);
  testing::Write(folder / "data/impressions/a.parquet", "1");
  CHECK(world.Of(0, 1).digest == city.digest);
  testing::Write(folder / "data/city.json", R"({"options": {"seed": 2}})");
  CHECK(world.Of(0, 1).digest != city.digest);
}

TEST_CASE("Data that is not there is named", "[experiment]") {
  const World world;
  std::filesystem::remove_all(world.dir.path() / "data");
  ShardDigests digests(world.dir.path());
  const auto digest =
      digests.Of(MakeShard(world.sample, world.sample.spec.arms(0), 1));
  CHECK(absl::IsNotFound(digest.status()));
  CHECK_THAT(digest.status().ToString(), Catch::Contains("dataset.textproto"));
}

}  // namespace
}  // namespace larr::experiment
