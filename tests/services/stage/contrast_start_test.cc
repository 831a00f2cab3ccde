// SPDX-License-Identifier: Apache-2.0
#include "services/stage/contrast_start.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "common/tensors/safetensors.h"
#include "tests/services/stage/llm_stage_process.h"
#include "tests/services/stage/tiny_corpus.h"
#include "tests/testing/temp_dir.h"

namespace larr::stage {
namespace {

using testing::TempDir;
using testing::TinyStage;

// Stage 2 without a step: its projection is the start.
struct World {
  TempDir dir;
  StageConfig config;
  fs::path kept;  // the start in the work folder

  World() {
    testing::WriteTinyCorpus(dir.path());
    auto pretrain = TinyStage(dir.path(), "pretrain");
    pretrain.set_stage(StageConfig::PRETRAIN);
    pretrain.mutable_spec()->mutable_pretrain()->set_steps(0);
    REQUIRE(RunStage(pretrain).ok());
    config = TinyStage(dir.path(), "contrast");
    config.set_stage(StageConfig::CONTRAST);
    config.mutable_spec()->mutable_contrast()->set_steps(0);
    (*config.mutable_inputs())["pretrain"] = pretrain.output();
    kept = fs::path(config.work()) / "start.safetensors";
  }

  torch::Tensor Projection() const {
    fs::remove_all(config.output());
    const auto status = RunStage(config);
    INFO(status.ToString());
    REQUIRE(status.ok());
    const auto file = SafetensorsFile::Open(fs::path(config.output()) /
                                            "projection.safetensors");
    REQUIRE(file.ok());
    return file->View(file->names().front())->clone();
  }
  // Writes twice the coordinates, as of `identity` or the one that they have.
  void Double(const std::string& identity) const {
    const auto file = SafetensorsFile::Open(kept);
    REQUIRE(file.ok());
    const auto coordinates = *file->View("coordinates") * 2;
    auto metadata = file->metadata();
    if (!identity.empty()) metadata["identity"] = identity;
    REQUIRE(
        WriteSafetensors(kept, {{"coordinates", coordinates}}, metadata).ok());
  }
};

TEST_CASE("The start is fitted once and kept in the work folder") {
  const World world;
  const auto fitted = world.Projection();
  CHECK(fitted.abs().max().item<double>() > 0);
  world.Double("");
  CHECK(torch::equal(world.Projection(), fitted * 2));
}

TEST_CASE("A kept start of other settings or inputs is fitted again") {
  const World world;
  const auto fitted = world.Projection();
  world.Double("another");
  CHECK(torch::equal(world.Projection(), fitted));
}

TEST_CASE("Without a pair to fit, the start is random and a function of seed") {
  World world;
  auto& contrast = *world.config.mutable_spec()->mutable_contrast();
  contrast.set_user_user_weight(0);
  contrast.set_poi_poi_weight(0);
  contrast.set_user_poi_weight(0);
  const auto one = world.Projection();
  fs::remove(world.kept);
  CHECK(torch::equal(world.Projection(), one));
  fs::remove(world.kept);
  world.config.mutable_spec()->set_seed(world.config.spec().seed() + 1);
  CHECK_FALSE(torch::equal(world.Projection(), one));
}

TEST_CASE("Without pairs in a step, the start is random, too") {
  World world;
  auto& contrast = *world.config.mutable_spec()->mutable_contrast();
  contrast.set_pairs_per_step(0);
  const auto one = world.Projection();
  contrast.set_user_poi_weight(5);
  fs::remove(world.kept);
  CHECK(torch::equal(world.Projection(), one));
}

TEST_CASE("Principal components are orthogonal, and look at no pair") {
  World world;
  auto& contrast = *world.config.mutable_spec()->mutable_contrast();
  const auto pairs = world.Projection();
  contrast.set_start(config::v1::ContrastConfig::PRINCIPAL_COMPONENTS);
  const auto components = world.Projection();
  CHECK_FALSE(torch::equal(components, pairs));
  // The first is common to all texts, the last see slots' means alone.
  const auto rows = components.narrow(0, 1, 20);
  const auto product = rows.mm(rows.t()) / rows[0].square().sum();
  CHECK(torch::allclose(product, torch::eye(20), 0, 1e-4));
  for (const double weight : {0.0, 3.0}) {
    contrast.set_user_user_weight(weight);
    contrast.set_poi_poi_weight(weight);
    contrast.set_user_poi_weight(weight);
    fs::remove(world.kept);
    CHECK(torch::equal(world.Projection(), components));
  }
}

}  // namespace
}  // namespace larr::stage
