// SPDX-License-Identifier: Apache-2.0
#include "services/stage/align.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdint>
#include <numeric>
#include <set>
#include <string>
#include <utility>
#include <vector>

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
  const auto torn =
      fixture.path() / "out.work/checkpoint.safetensors.tmp.0123456789abcdef";
  REQUIRE(WriteFileAtomically(torn, "half").ok());
  REQUIRE(Run(fixture, AlignOf(fixture, "larr"), "out").ok());
  CHECK_FALSE(std::filesystem::exists(torn));
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

TEST_CASE("with linear_decay the first step is whole, later ones are shorter") {
  const CtrFixture fixture;
  const auto weights = [&](int steps, bool decay) {
    StageConfig config = AlignOf(fixture, "ple");
    auto& align = *config.mutable_spec()->mutable_align(0);
    align.set_epochs(1);
    align.set_max_rows(steps * 16);
    align.set_linear_decay(decay);
    const std::string out = std::to_string(steps) + (decay ? "d" : "");
    REQUIRE(Run(fixture, config, out).ok());
    const auto loaded = LoadCtrModel(fixture.path() / out).value();
    return NamedTensors(*loaded.model).at("tables.weight").clone();
  };
  CHECK(torch::equal(weights(1, true), weights(1, false)));
  CHECK_FALSE(torch::equal(weights(4, true), weights(4, false)));
}

TEST_CASE("vocabularies know training days alone") {
  const CtrFixture fixture;
  // An hour that the validation day alone has.
  auto rows = testing::TinyImpressions(4, 60);
  for (auto& row : rows) row[3] = int64_t{23};
  testing::WriteParquet(
      testing::TinyFile(fixture.path(), "impressions", "2024-01-05"),
      testing::TinyImpressionColumns(), rows);
  REQUIRE(Run(fixture, AlignOf(fixture, "ple"), "out").ok());
  const auto loaded = LoadCtrModel(fixture.path() / "out").value();
  std::set<std::string> values;
  for (const auto& feature : loaded.description.features())
    values.insert(feature.vocabulary().begin(), feature.vocabulary().end());
  CHECK(values.contains("8"));
  CHECK_FALSE(values.contains("23"));
}

TEST_CASE("a recommender's own seed goes before the run's") {
  const CtrFixture fixture;
  const auto weights = [&](uint64_t of_run, uint64_t own,
                           const std::string& output) {
    StageConfig config = AlignOf(fixture, "ple");
    config.mutable_spec()->set_seed(of_run);
    config.mutable_spec()->mutable_align(0)->set_seed(own);
    REQUIRE(Run(fixture, config, output).ok());
    return ReadFile(fixture.path() / output / kCtrWeightsFile).value();
  };
  const std::string nine = weights(7, 9, "a");
  CHECK(weights(9, 0, "b") == nine);
  CHECK(weights(7, 0, "c") != nine);
  // Which it was is written down, for who trains the model again.
  for (const auto& [output, seed] : {std::pair("b", 9u), std::pair("c", 7u)}) {
    const auto manifest = ReadArtifact(fixture.path() / output).value();
    CHECK(ParseTextProto<config::v1::AlignConfig>(manifest.config())->seed() ==
          seed);
  }
}

TEST_CASE("a model does not read the features that it leaves out") {
  const CtrFixture fixture;
  StageConfig config = AlignOf(fixture, "larr");
  auto& align = *config.mutable_spec()->mutable_align(1);
  for (const char* name : {"orders", "cities", "sky", "history", "user_id"})
    align.add_left_out_features(name);
  REQUIRE(Run(fixture, config, "out").ok());
  const auto loaded = LoadCtrModel(fixture.path() / "out").value();
  const auto& spec = loaded.description.dataset();
  CHECK(spec.tabular_features_size() == 3);
  CHECK(spec.user_embedding_features_size() == 0);
  CHECK(loaded.description.features_size() == 3);
  CHECK(loaded.model->layout().slot_count() == 1);
  CHECK(loaded.model->layout().target_ids.size() == 1);
  SECTION("an unknown one is refused") {
    align.add_left_out_features("cuisine");
    const absl::Status status = Run(fixture, config, "wrong");
    CHECK(absl::IsInvalidArgument(status));
    CHECK_THAT(std::string(status.message()), Catch::Contains("\"cuisine\""));
  }
  SECTION("the last ones that LARR needs are refused") {
    align.add_left_out_features("poi_id");
    const absl::Status status = Run(fixture, config, "wrong");
    CHECK(absl::IsInvalidArgument(status));
    CHECK_THAT(std::string(status.message()),
               Catch::Contains("poi_embedding_features"));
  }
}

// A model that has nothing to learn from: its loss soon goes up and down.
StageConfig Patient(const CtrFixture& fixture) {
  StageConfig config = AlignOf(fixture, "ple");
  auto& align = *config.mutable_spec()->mutable_align(0);
  for (const char* name : {"orders", "cities", "user_id", "distance"})
    align.add_left_out_features(name);
  align.set_learning_rate(0.03);
  align.set_checkpoint_steps(10);
  align.set_epochs(40);
  align.set_patience(2);
  return config;
}

TEST_CASE("patience ends training and writes the model of the best epoch") {
  const CtrFixture fixture;
  StageConfig config = Patient(fixture);
  REQUIRE(Run(fixture, config, "out").ok());
  const auto training = fixture.Json("out/training.json");
  const auto losses = training["validation_losses"].get<std::vector<double>>();
  const int epoch = training["epoch"];
  CAPTURE(losses, epoch);
  REQUIRE(losses.size() < 40);
  REQUIRE(losses.size() == static_cast<size_t>(epoch) + 2);
  REQUIRE(training["steps"] == losses.size() * 8);
  REQUIRE(std::min_element(losses.begin(), losses.end()) ==
          losses.begin() + epoch - 1);
  const auto weights = [&](const std::string& folder) {
    return ReadFile(fixture.path() / folder / kCtrWeightsFile).value();
  };
  const std::string best = weights("out");

  // As a kill after the last checkpoint would have left the work folder.
  std::filesystem::remove_all(fixture.path() / "out");
  REQUIRE(Run(fixture, config, "out").ok());
  CHECK(weights("out") == best);
  const auto again = fixture.Json("out/training.json");
  CHECK(again["validation_losses"].get<std::vector<double>>() == losses);
  CHECK(again["epoch"] == epoch);

  // So many epochs, and no more, make the same model.
  auto& align = *config.mutable_spec()->mutable_align(0);
  align.clear_patience();
  align.set_epochs(epoch);
  REQUIRE(Run(fixture, config, "plain").ok());
  CHECK(weights("plain") == best);
  const auto plain = fixture.Json("plain/training.json");
  CHECK(plain["epoch"] == epoch);
  CHECK(plain["validation_losses"].empty());
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
