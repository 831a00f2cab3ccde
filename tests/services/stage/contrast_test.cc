// SPDX-License-Identifier: Apache-2.0
#include "services/stage/contrast.h"

#include <catch2/catch.hpp>

#include "common/llm/checkpoint.h"
#include "common/llm/embedder.h"
#include "tests/services/stage/llm_stage_process.h"
#include "tests/services/stage/tiny_corpus.h"
#include "tests/testing/temp_dir.h"

namespace larr::stage {
namespace {

using testing::TempDir;
using testing::TinyStage;

TEST_CASE("Contrastive training killed by kill -9 ends with the same bits") {
  const TempDir dir;
  testing::WriteTinyCorpus(dir.path());
  auto pretrain = TinyStage(dir.path(), "pretrain");
  pretrain.set_stage(StageConfig::PRETRAIN);
  pretrain.mutable_spec()->mutable_pretrain()->set_steps(0);
  const auto status = RunStage(pretrain);
  INFO(status.ToString());
  REQUIRE(status.ok());

  const auto stage = [&](const char* name) {
    auto config = TinyStage(dir.path(), name);
    config.set_stage(StageConfig::CONTRAST);
    (*config.mutable_inputs())["pretrain"] = pretrain.output();
    config.mutable_spec()->mutable_contrast()->set_evaluate_steps(5);
    return config;
  };
  const auto whole = stage("whole"), killed = stage("killed");
  CheckSameAfterKills(
      whole, killed,
      {"model.safetensors", "projection.safetensors", "larr.json"});

  const auto curve = Training(whole.output())["curve"];
  // The start already tells partners from others; chance is one in six.
  CHECK(curve.front()["poi_poi_accuracy"].get<double>() > 0.5);
  CHECK(curve.back()["loss"].get<double>() <
        curve.front()["loss"].get<double>());

  // Two of the twenty POIs are held out.
  const auto recall = Training(whole.output())["held_out_recall"];
  CHECK(recall == Training(killed.output())["held_out_recall"]);
  for (const char* when : {"before", "after"}) {
    const auto& row = recall[when]["poi_poi"]["complete"];
    CHECK(row["pairs"] == 2);
    CHECK(row["chance@1"] == 0.5);
    CHECK(row["recall@5"] == 1.0);
  }
  CHECK(recall["before"] != recall["after"]);
  for (size_t i = 0; i < curve.size(); ++i)
    CHECK(curve[i].contains("held_out_loss") ==
          ((i + 1) % 5 == 0 || i + 1 == curve.size()));

  // What comes out is an embedder, under the manifest's fingerprint.
  auto embedder = Embedder::Open(whole.output(), {});
  INFO(embedder.status().ToString());
  REQUIRE(embedder.ok());
  const auto manifest = ReadArtifact(whole.output());
  REQUIRE(manifest.ok());
  CHECK(manifest->embedder_fingerprint() == embedder->fingerprint());
  CHECK(manifest->parents().contains("pretrain"));
}

TEST_CASE(
    "With adapters layers and special tokens move, the model's rows do not") {
  const TempDir dir;
  testing::WriteTinyCorpus(dir.path());
  auto pretrain = TinyStage(dir.path(), "pretrain");
  pretrain.set_stage(StageConfig::PRETRAIN);
  pretrain.mutable_spec()->mutable_pretrain()->set_steps(0);
  REQUIRE(RunStage(pretrain).ok());
  auto config = TinyStage(dir.path(), "adapted");
  config.set_stage(StageConfig::CONTRAST);
  (*config.mutable_inputs())["pretrain"] = pretrain.output();
  auto* contrast = config.mutable_spec()->mutable_contrast();
  contrast->set_frozen_layers(0);
  contrast->set_layers(1);
  contrast->mutable_lora()->set_rank(4);
  contrast->set_activation_checkpointing(true);
  const auto status = RunStage(config);
  INFO(status.ToString());
  REQUIRE(status.ok());
  const auto before = ReadCheckpoint(pretrain.output(), torch::kFloat32);
  const auto after = ReadCheckpoint(config.output(), torch::kFloat32);
  REQUIRE(before.ok());
  REQUIRE(after.ok());
  const auto same = [&](int64_t from, int64_t to) {
    return torch::equal(after->weights.embedding.slice(0, from, to),
                        before->weights.embedding.slice(0, from, to));
  };
  CHECK(before->config.layers == 2);
  CHECK(after->config.layers == 1);
  CHECK(same(0, 269));
  CHECK_FALSE(same(269, 283));
  CHECK_FALSE(torch::equal(after->weights.layers[0].qkv,
                           before->weights.layers[0].qkv));
}

}  // namespace
}  // namespace larr::stage
