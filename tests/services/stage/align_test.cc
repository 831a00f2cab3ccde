// SPDX-License-Identifier: Apache-2.0
#include "services/stage/align.h"

#include <catch2/catch.hpp>
#include <cstdint>
#include <numeric>

#include "common/base/artifact_folder.h"
#include "common/config/text_proto.h"
#include "common/ctr/model_io.h"
#include "larr/config/v1/score_distribution.pb.h"
#include "tests/services/stage/ctr_fixture.h"

namespace larr::stage {
namespace {

using config::v1::StageConfig;
using testing::CtrFixture;

StageConfig AlignOf(const CtrFixture& fixture, const std::string& name) {
  StageConfig config = fixture.Config(StageConfig::ALIGN);
  config.set_align_name(name);
  return config;
}

absl::Status Run(const CtrFixture& fixture, StageConfig config,
                 const std::string& output) {
  StageContext context = fixture.Context(std::move(config), output);
  return RunAlign(context);
}

TEST_CASE("a LARR is trained, validated and written whole") {
  const CtrFixture fixture;
  REQUIRE(Run(fixture, AlignOf(fixture, "larr"), "out").ok());
  const auto manifest = VerifyArtifact(fixture.path() / "out").value();
  REQUIRE(manifest.kind() == "ctr_model");
  REQUIRE(manifest.embedder_fingerprint() == "print");
  REQUIRE(manifest.parents().contains("embed"));
  const auto loaded = LoadCtrModel(fixture.path() / "out").value();
  REQUIRE(loaded.description.training_rows() == 120);
  REQUIRE(loaded.description.text_dim() == testing::kTinyDim);
  REQUIRE(loaded.description.has_order_task());
  // Statistics came from the texts, not from the initial 0 and 1.
  REQUIRE(
      NamedTensors(*loaded.model).at("scene.mean").abs().sum().item<float>() >
      0);

  const auto training = fixture.Json("out/training.json");
  REQUIRE(training["steps"] == 24);  // 120 rows, batches of 16, 3 epochs.
  REQUIRE(training["loss"].size() == 3);
  REQUIRE(training["loss"].back()["step"] == 24);
  REQUIRE(training["loss"].back()["alignment"] > 0);
  REQUIRE(training["validation"]["rows"] == 60);
  // Clicks alternate with the weather: there is something to learn.
  REQUIRE(training["validation"]["ctr_auc"] > 0.8);

  // How the 60 scores of validation are distributed goes with the model.
  const auto scores = LoadTextProto<config::v1::ScoreDistribution>(
      fixture.path() / "out/scores.textproto");
  REQUIRE(scores.ok());
  for (const auto* histogram : {&scores->ctr(), &scores->ctcvr()}) {
    REQUIRE(histogram->rows_size() > 1);
    REQUIRE(std::accumulate(histogram->rows().begin(), histogram->rows().end(),
                            int64_t{0}) == 60);
  }
}

TEST_CASE("a PLE reads no snapshot") {
  const CtrFixture fixture;
  StageConfig config = AlignOf(fixture, "ple");
  config.clear_inputs();
  REQUIRE(Run(fixture, config, "out").ok());
  const auto loaded = LoadCtrModel(fixture.path() / "out").value();
  REQUIRE(loaded.description.embedder_fingerprint().empty());
  REQUIRE(loaded.model->scene_encoder() == nullptr);
}

TEST_CASE("a stage goes on at its checkpoint and ends with the same bytes") {
  const CtrFixture fixture;
  REQUIRE(Run(fixture, AlignOf(fixture, "larr"), "out").ok());
  const auto weights = fixture.path() / "out" / kCtrWeightsFile;
  const std::string whole = ReadFile(weights).value();
  const auto curve = fixture.Json("out/training.json")["loss"];
  // The work folder is as a kill after step 20 would have left it.
  std::filesystem::remove_all(fixture.path() / "out");
  std::filesystem::remove(fixture.path() / "out.work/progress.jsonl");
  REQUIRE(Run(fixture, AlignOf(fixture, "larr"), "out").ok());
  REQUIRE(ReadFile(weights).value() == whole);
  REQUIRE(fixture.Json("out/training.json")["loss"] == curve);
  const std::string progress =
      ReadFile(fixture.path() / "out.work/progress.jsonl").value();
  REQUIRE(progress.find("\"step\":20,") == std::string::npos);
  REQUIRE(progress.find("\"step\":24,") != std::string::npos);

  // From nothing: the same, too.
  REQUIRE(Run(fixture, AlignOf(fixture, "larr"), "again").ok());
  REQUIRE(ReadFile(fixture.path() / "again" / kCtrWeightsFile).value() ==
          whole);
}

TEST_CASE("a checkpoint of other settings or inputs is refused") {
  CtrFixture fixture;
  StageConfig config = AlignOf(fixture, "larr");
  REQUIRE(Run(fixture, config, "out").ok());
  std::filesystem::remove_all(fixture.path() / "out");
  SECTION("a setting") {
    config.mutable_spec()->mutable_align(1)->set_learning_rate(0.02);
  }
  SECTION("the seed") { config.mutable_spec()->set_seed(8); }
  SECTION("the snapshot") {
    fixture.WriteSnapshot("other", "print", "ordered 3");
    (*config.mutable_inputs())["embed"] = fixture.path() / "other";
  }
  const absl::Status status = Run(fixture, config, "out");
  CHECK(absl::IsFailedPrecondition(status));
  CHECK_THAT(std::string(status.message()), Catch::Contains("out.work"));
}

TEST_CASE("max_rows bounds the rows of an epoch") {
  const CtrFixture fixture;
  StageConfig config = AlignOf(fixture, "ple");
  config.mutable_spec()->mutable_align(0)->set_max_rows(50);
  REQUIRE(Run(fixture, config, "out").ok());
  const auto training = fixture.Json("out/training.json");
  REQUIRE(training["training_rows"] == 50);
  REQUIRE(training["steps"] == 12);
}

TEST_CASE("vocabularies know training days alone") {
  const CtrFixture fixture;
  // An item of the validation day, which its own snapshot knows.
  auto rows = testing::TinyImpressions(4, 60);
  rows[0][2] = std::string("new");
  testing::WriteParquet(
      testing::TinyFile(fixture.path(), "impressions", "2024-01-05"),
      testing::TinyImpressionColumns(), rows);
  REQUIRE(Run(fixture, AlignOf(fixture, "ple"), "out").ok());
  const auto loaded = LoadCtrModel(fixture.path() / "out").value();
  for (const auto& feature : loaded.description.features())
    for (const std::string& value : feature.vocabulary())
      REQUIRE(value != "new");
}

TEST_CASE("wrong settings are refused by name") {
  const CtrFixture fixture;
  StageConfig config = AlignOf(fixture, "larr");
  std::string what;
  SECTION("model") {
    config.set_align_name("nobody");
    what = "nobody";
  }
  SECTION("embed") {
    config.clear_inputs();
    what = "embed";
  }
  SECTION("batch_size") {
    config.mutable_spec()->mutable_align(1)->set_batch_size(1);
    what = "batch_size";
  }
  const absl::Status status = Run(fixture, config, "out");
  REQUIRE(status.code() == absl::StatusCode::kInvalidArgument);
  REQUIRE_THAT(std::string(status.message()), Catch::Contains(what));
  REQUIRE_FALSE(std::filesystem::exists(fixture.path() / "out"));
}

}  // namespace
}  // namespace larr::stage
