// SPDX-License-Identifier: Apache-2.0
#include "tools/bfloat16/conversion.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>

#include "common/base/artifact_folder.h"
#include "common/ctr/metrics.h"
#include "common/ctr/model_io.h"
#include "common/ctr/scorer.h"
#include "services/stage/align.h"
#include "services/stage/ctr_batcher.h"
#include "services/stage/ctr_metrics_json.h"
#include "tests/services/stage/ctr_fixture.h"
#include "tools/bfloat16/batch_requests.h"

namespace larr::bfloat16 {
namespace {

using config::v1::CtrArchitecture;
using testing::CtrFixture;

void TrainModel(const CtrFixture& fixture, const std::string& name) {
  auto config = fixture.Config(config::v1::StageConfig::ALIGN);
  config.set_align_name(name);
  stage::StageContext context = fixture.Context(config, name);
  REQUIRE(stage::RunAlign(context).ok());
}

ConversionOptions OptionsFor(const CtrFixture& fixture,
                             const std::string& model) {
  return {.model = fixture.path() / model,
          .dataset = fixture.path() / "dataset.textproto",
          .snapshot = fixture.path() / "snapshot",
          .output = fixture.path() / "converted",
          .part = Part::kTest,
          .most_loss = 1};
}

absl::Status Run(const ConversionOptions& options,
                 std::string* table = nullptr) {
  std::ostringstream out;
  int64_t rows = 0;
  const absl::Status status = Convert(options, out, [&](int64_t done, int64_t) {
    CHECK(done > rows);
    rows = done;
  });
  if (table != nullptr) *table = out.str();
  return status;
}

// A model that is the folder's but for what `change` does.
void WriteChanged(const CtrFixture& fixture, const std::string& from,
                  const std::string& to,
                  const std::function<void(LoadedCtrModel&)>& change) {
  auto loaded = LoadCtrModel(fixture.path() / from).value();
  const torch::NoGradGuard no_grad;
  change(loaded);
  auto writer = ArtifactWriter::Create(fixture.path() / to).value();
  REQUIRE(SaveCtrModel(writer.path(), loaded.description, *loaded.model).ok());
  config::v1::ArtifactManifest manifest;
  manifest.set_kind("ctr_model");
  REQUIRE(writer.Finish(manifest).ok());
}

// The part's rows by the public Scorer, one candidate a request.
struct Judged {
  stage::RowLabels labels;
  stage::ModelScores scores;
};
Judged Judge(const CtrFixture& fixture, const std::string& model) {
  const Scorer scorer = Scorer::Open(fixture.path() / model, 1).value();
  const auto snapshot = Snapshot::Open(fixture.path() / "snapshot").value();
  auto batcher = stage::CtrBatcher::Create(fixture.dataset(),
                                           scorer.description(), snapshot.get())
                     .value();
  auto stream =
      ImpressionStream::Open(fixture.dataset(), {.part = Part::kTest}).value();
  Judged judged;
  Impression row;
  while (stream.Next(row).value()) {
    judged.labels.Add(row);
    batcher->Add(row);
    const CtrBatch batch = batcher->Take().value();
    const BatchRequest request = RequestsOf(batch, scorer.layout())[0];
    std::vector<std::byte> state(scorer.poi_state_bytes());
    REQUIRE(scorer.MakePoiStates(request.pois, state).ok());
    const std::byte* const pointer = state.data();
    const auto output = scorer.Score(request.columns, {&pointer, 1}).value();
    judged.scores.ctr.push_back(output.ctr[0]);
    judged.scores.ctcvr.push_back(output.ctcvr[0]);
  }
  return judged;
}

TEST_CASE("a converted model is served in bfloat16, with the figures told") {
  const CtrFixture fixture;
  TrainModel(fixture, "larr");
  std::string table;
  REQUIRE(Run(OptionsFor(fixture, "larr"), &table).ok());
  const auto manifest = VerifyArtifact(fixture.path() / "converted").value();
  CHECK(manifest.kind() == "ctr_model");
  CHECK(manifest.embedder_fingerprint() == "print");
  CHECK(manifest.parents().at("model") ==
        ReadArtifact(fixture.path() / "larr")->digest());
  CHECK(ReadFile(fixture.path() / "converted/model.safetensors").value() ==
        ReadFile(fixture.path() / "larr/model.safetensors").value());
  CHECK(ReadFile(fixture.path() / "converted/scores.textproto").value() ==
        ReadFile(fixture.path() / "larr/scores.textproto").value());

  const Judged before = Judge(fixture, "larr");
  const Judged after = Judge(fixture, "converted");
  const auto json = fixture.Json("converted/bfloat16.json");
  CHECK(json["rows"] == 60);
  CHECK(json["part"] == "test");
  CHECK(json["most_loss"] == 1.0);
  CHECK(json["ctr_auc"]["float32"] ==
        Approx(Auc(before.scores.ctr, before.labels.click)));
  CHECK(json["ctr_auc"]["bfloat16"] ==
        Approx(Auc(after.scores.ctr, after.labels.click)));
  CHECK(json["ctcvr_auc"]["float32"] ==
        Approx(Auc(before.scores.ctcvr, before.labels.ctcvr)));
  CHECK(json["ctcvr_auc"]["bfloat16"] ==
        Approx(Auc(after.scores.ctcvr, after.labels.ctcvr)));
  CHECK(json["ctr_auc"]["change"].get<double>() ==
        Approx(json["ctr_auc"]["bfloat16"].get<double>() -
               json["ctr_auc"]["plain"].get<double>()));
  double largest = 0;
  for (size_t i = 0; i < before.labels.size(); ++i) {
    largest =
        std::max({largest, std::abs(after.scores.ctr[i] - before.scores.ctr[i]),
                  std::abs(after.scores.ctcvr[i] - before.scores.ctcvr[i])});
  }
  const auto& difference = json["difference"];
  CHECK(difference["bfloat16"]["largest"].get<double>() ==
        Approx(largest).margin(1e-5));
  CHECK(difference["bfloat16"]["largest"] > 1e-5);
  CHECK(difference["bfloat16"]["mean"] < difference["bfloat16"]["largest"]);
  CHECK(difference["float32"]["largest"] < 1e-5);
  CHECK(json["poi_state_bytes"]["bfloat16"] ==
        Scorer::Open(fixture.path() / "converted", 1)->poi_state_bytes());
  CHECK(json["poi_state_bytes"]["bfloat16"] <
        json["poi_state_bytes"]["float32"]);
  CHECK_THAT(table, Catch::Contains("60 test rows"));
  CHECK_THAT(table, Catch::Contains("bfloat16"));

  // What it made it takes no more.
  auto again = OptionsFor(fixture, "converted");
  again.output = fixture.path() / "again";
  const absl::Status status = Run(again);
  CHECK(absl::IsInvalidArgument(status));
  CHECK_THAT(
      std::string(status.message()),
      Catch::StartsWith("--model: ") && Catch::Contains("serve_in_bfloat16"));
}

TEST_CASE("a model without texts needs no snapshot") {
  const CtrFixture fixture;
  TrainModel(fixture, "ple");
  auto options = OptionsFor(fixture, "ple");
  options.snapshot.clear();
  options.rows = 40;
  REQUIRE(Run(options).ok());
  CHECK(fixture.Json("converted/bfloat16.json")["rows"] == 40);
  CHECK(LoadCtrModel(options.output)->description.serve_in_bfloat16());
}

TEST_CASE("a model that bfloat16 makes worse is refused, and nothing written") {
  const CtrFixture fixture;
  TrainModel(fixture, "ple");
  // The towers' hidden numbers move up by 4096, the logits back: equal in
  // float32, but in bfloat16 what tells rows apart is rounded away.
  WriteChanged(fixture, "ple", "fragile", [](LoadedCtrModel& loaded) {
    auto tensors = NamedTensors(*loaded.model);
    for (const std::string tower : {"ple.tower0_", "ple.tower1_"}) {
      tensors.at(tower + "hidden_bias") += 4096;
      tensors.at(tower + "logit_bias") -=
          4096 * tensors.at(tower + "logit_weight").sum();
    }
  });
  auto options = OptionsFor(fixture, "fragile");
  options.most_loss = 0.0002;
  std::string table;
  const absl::Status status = Run(options, &table);
  CHECK(absl::IsFailedPrecondition(status));
  CHECK_THAT(std::string(status.message()),
             Catch::Contains("AUC of 60 test rows falls from ") &&
                 Catch::Contains(" to 0.500000, by 0.") &&
                 Catch::Contains("--most-loss is 0.0002"));
  CHECK_THAT(table, Catch::Contains("60 test rows"));
  CHECK_FALSE(std::filesystem::exists(options.output));
  CHECK_FALSE(std::filesystem::exists(options.output.string() + ".partial"));
  options.most_loss = 1;
  CHECK(Run(options).ok());
}

TEST_CASE("what cannot be converted is refused by the option to blame") {
  const CtrFixture fixture;
  TrainModel(fixture, "larr");
  auto options = OptionsFor(fixture, "larr");
  std::string option;
  std::string reason;
  SECTION("a model that cannot be split") {
    WriteChanged(fixture, "larr", "mean", [](LoadedCtrModel& loaded) {
      loaded.description.mutable_architecture()->set_readout(
          CtrArchitecture::MEAN);
    });
    options.model = fixture.path() / "mean";
    option = "--model: ";
    reason = "readout is MEAN";
  }
  SECTION("no model") {
    options.model = fixture.path() / "none";
    option = "--model: ";
    reason = "none";
  }
  SECTION("an artifact of another kind") {
    options.model = fixture.path() / "snapshot";
    option = "--model: ";
    reason = "not a `ctr_model`";
  }
  SECTION("no dataset") {
    options.dataset = fixture.path() / "none";
    option = "--dataset: ";
    reason = "none";
  }
  SECTION("texts without a snapshot") {
    options.snapshot.clear();
    option = "--snapshot: ";
    reason = "reads texts";
  }
  SECTION("an output that is there") {
    options.output = fixture.path() / "larr";
    option = "--output: ";
    reason = "already";
  }
  SECTION("less than no rows") {
    options.rows = -1;
    option = "--rows: ";
    reason = "-1";
  }
  SECTION("a loss that is none") {
    options.most_loss = -0.5;
    option = "--most-loss: ";
    reason = "-0.5";
  }
  const absl::Status status = Run(options);
  CHECK_FALSE(status.ok());
  CHECK_THAT(std::string(status.message()),
             Catch::StartsWith(option) && Catch::Contains(reason));
  CHECK_FALSE(std::filesystem::exists(fixture.path() / "converted"));
}

TEST_CASE("rows of one label do not tell") {
  const CtrFixture fixture;
  TrainModel(fixture, "ple");
  auto options = OptionsFor(fixture, "ple");
  options.rows = 1;
  const absl::Status status = Run(options);
  CHECK(absl::IsFailedPrecondition(status));
  CHECK_THAT(std::string(status.message()), Catch::Contains("1 rows of test"));
}

}  // namespace
}  // namespace larr::bfloat16
