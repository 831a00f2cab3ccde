// SPDX-License-Identifier: Apache-2.0
#include "services/stage/publish.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "common/base/artifact_folder.h"
#include "common/base/files.h"
#include "common/config/text_proto.h"
#include "tests/testing/snapshot_fixture.h"
#include "tests/testing/temp_dir.h"

namespace larr::stage {
namespace {

using config::v1::ArtifactManifest;
using config::v1::PublishDecision;
using config::v1::StageConfig;

// The artifacts of a finished run, good enough to be published.
class FinishedRun {
 public:
  explicit FinishedRun(const std::filesystem::path& root, double auc = 0.75,
                       double calibration = 1.02)
      : root_(root) {
    std::filesystem::create_directories(root);
    const std::string snapshot = WriteSnapshot("fingerprint-1");
    const std::string model = Write("align-larr", "model.textproto",
                                    "name: \"larr\"\n", {}, "fingerprint-1");
    Write("evaluate", "metrics.json",
          fmt::format(R"({{"models": {{"larr": {{"validation":
                      {{"ctr_auc": {}, "rows": 100, "clicks": 10,
                        "calibration": {}}}}}}}}})",
                      auc, calibration),
          {{"align/larr", model}, {"embed", snapshot}}, "");
    config_.set_stage(StageConfig::PUBLISH);
    config_.mutable_spec()->add_align()->set_name("ple");
    config_.mutable_spec()->add_align()->set_name("larr");
    auto& inputs = *config_.mutable_inputs();
    inputs["embed"] = root / "embed";
    inputs["align/larr"] = root / "align-larr";
    inputs["evaluate"] = root / "evaluate";
    config_.set_output(root / "publish");
    config_.set_work(root / "publish.work");
  }

  StageConfig& config() { return config_; }

  // Replaces the snapshot, which stores the POIs' column `stars`; returns its
  // digest.
  std::string WriteSnapshot(const std::string& fingerprint) {
    std::filesystem::remove_all(root_ / "embed");
    auto info = testing::InfoOf(fingerprint, /*dim=*/4);
    info.mutable_entity_columns()->add_pois("stars");
    const auto builder = SnapshotBuilder::Open(root_ / "work", info, nullptr);
    REQUIRE(builder.ok());
    const auto manifest = (*builder)->Publish(root_ / "embed", {});
    REQUIRE(manifest.ok());
    return manifest->digest();
  }

  // Replaces an artifact; returns its digest.
  std::string Write(const std::string& folder, const std::string& file,
                    const std::string& content,
                    const std::map<std::string, std::string>& parents,
                    const std::string& fingerprint) {
    std::filesystem::remove_all(root_ / folder);
    auto writer = ArtifactWriter::Create(root_ / folder);
    REQUIRE(writer.ok());
    std::ofstream(writer->path() / file) << content;
    ArtifactManifest manifest;
    manifest.set_kind(folder);
    manifest.set_embedder_fingerprint(fingerprint);
    for (const auto& [role, digest] : parents) {
      (*manifest.mutable_parents())[role] = digest;
    }
    const auto written = writer->Finish(manifest);
    REQUIRE(written.ok());
    return written->digest();
  }

 private:
  std::filesystem::path root_;
  StageConfig config_;
};

absl::StatusOr<ValidationAuc> NobodyToJudge(
    const std::string& /*dataset*/, const std::filesystem::path& /*model*/,
    const std::filesystem::path& /*snapshot*/) {
  FAIL("there is no champion");
  return ValidationAuc{};
}

// The refused checks of a decision, joined.
std::string Refusals(const StageConfig& config,
                     const JudgeModel& judge = NobodyToJudge) {
  const auto decision = DecidePublish(config, judge);
  REQUIRE(decision.ok());
  std::string refusals;
  for (const std::string& reason : decision->reasons()) {
    if (reason.find("Refused: ") == 0) refusals += reason;
  }
  CHECK(decision->accepted() == refusals.empty());
  return refusals;
}

TEST_CASE("A first model that is whole and calibrated passes", "[publish]") {
  const testing::TempDir dir;
  FinishedRun run(dir.path());
  run.config().set_champion_fencing_token(7);
  std::filesystem::create_directories(run.config().work());
  StageContext context{run.config(), ProgressWriter(run.config().work())};
  REQUIRE(RunPublish(context, NobodyToJudge).ok());
  REQUIRE(VerifyArtifact(run.config().output()).ok());
  const auto decision = LoadTextProto<PublishDecision>(
      std::filesystem::path(run.config().output()) / "publish.textproto");
  REQUIRE(decision.ok());
  CHECK(decision->accepted());
  CHECK(decision->reasons_size() == 8);
  CHECK(decision->validation_ctr_auc() == 0.75);
  CHECK(decision->champion_fencing_token() == 7);
  CHECK(decision->model_path() == (dir.path() / "align-larr").string());
  const auto progress = nlohmann::json::parse(
      *ReadFile(std::filesystem::path(run.config().work()) / "progress.jsonl"));
  CHECK(progress["step"] == progress["total"]);
  CHECK(progress["throughput"] > 0);
}

TEST_CASE("The champion may be lost to by no more than the bound",
          "[publish]") {
  const testing::TempDir dir;
  FinishedRun champion(dir.path() / "champion");
  FinishedRun run(dir.path() / "run", /*auc=*/0.75);
  run.config().mutable_spec()->set_dataset("city.textproto");
  const auto& its = champion.config().inputs();
  auto& inputs = *run.config().mutable_inputs();
  inputs["champion_model"] = its.at("align/larr");
  inputs["champion_snapshot"] = its.at("embed");
  absl::StatusOr<ValidationAuc> judged = ValidationAuc{0.7515, 100, 10, 0};
  std::filesystem::path judged_with;
  const JudgeModel judge = [&](const std::string& dataset, const auto& model,
                               const auto& snapshot) {
    CHECK(dataset == "city.textproto");
    CHECK(model == its.at("align/larr"));
    judged_with = snapshot;
    return judged;
  };
  CHECK(Refusals(run.config(), judge).empty());
  CHECK(judged_with == inputs["embed"]);
  run.config().mutable_spec()->mutable_publish()->set_max_auc_loss(0.001);
  CHECK(Refusals(run.config(), judge) ==
        "Refused: validation CTR AUC is 0.7500, the champion's on the same "
        "rows is 0.7515; at most 0.0010 below it is allowed.");

  SECTION("one without texts") {
    champion.Write("align-larr", "model.textproto", "name: \"larr\"\n", {}, "");
    judged->ctr_auc = 0.7505;
    CHECK(Refusals(run.config(), judge).empty());
    CHECK(judged_with == inputs["embed"]);
  }
  SECTION("one of another embedder reads its own snapshot") {
    champion.Write("align-larr", "model.textproto", "name: \"larr\"\n", {},
                   "fingerprint-0");
    judged->missing_texts = 3;
    CHECK_THAT(Refusals(run.config(), judge),
               Catch::Contains(
                   "allowed. The champion's snapshot lacks 3 texts of them."));
    CHECK(judged_with == its.at("embed"));
    std::ofstream(champion.config().inputs().at("embed") + "/data") << "other";
    CHECK_THAT(Refusals(run.config(), judge),
               Catch::Contains("cannot be judged"));
  }
  SECTION("one that cannot be judged") {
    judged = absl::InvalidArgumentError("no column `stars`");
    CHECK(Refusals(run.config(), judge) ==
          "Refused: the champion " + its.at("align/larr") +
              " cannot be judged on these validation rows (no column "
              "`stars`); publish to another alias and promote that version.");
  }
  SECTION("one that is damaged is not judged") {
    std::ofstream(its.at("align/larr") + "/model.textproto")
        << "name: \"lars\"";
    judged_with.clear();
    CHECK_THAT(Refusals(run.config(), judge),
               Catch::Contains("cannot be judged"));
    CHECK(judged_with.empty());
  }
  SECTION("one of other rows") {
    judged->clicks = 11;
    CHECK(Refusals(run.config(), judge) ==
          "Refused: the metrics are of 100 validation rows with 10 clicks, the "
          "champion's of 100 with 11: the dataset changed since, or "
          "evaluate.sample_only is set.");
  }
  SECTION("a machine that cannot is no refusal") {
    judged = absl::ResourceExhaustedError("out of memory");
    CHECK(
        absl::IsResourceExhausted(DecidePublish(run.config(), judge).status()));
    inputs.erase("champion_snapshot");
    CHECK(absl::IsInvalidArgument(DecidePublish(run.config(), judge).status()));
  }
  SECTION("nobody is judged beside a damaged snapshot") {
    std::ofstream(inputs["embed"] + "/data") << "other";
    judged_with.clear();
    CHECK_THAT(Refusals(run.config(), judge),
               Catch::Contains("the snapshot is damaged"));
    CHECK(judged_with.empty());
  }
}

TEST_CASE("A miscalibrated model is refused", "[publish]") {
  const testing::TempDir dir;
  FinishedRun run(dir.path(), 0.75, /*calibration=*/1.2);
  CHECK(Refusals(run.config()) ==
        "Refused: mean predicted CTR over the mean label is 1.2000; 0.9000 to "
        "1.1000 is allowed.");
  run.config().mutable_spec()->mutable_publish()->set_max_calibration_error(
      0.3);
  CHECK(Refusals(run.config()).empty());
}

TEST_CASE("A model of orders must be calibrated for them, too", "[publish]") {
  const testing::TempDir dir;
  FinishedRun run(dir.path());
  const std::string model =
      run.Write("align-larr", "model.textproto",
                "name: \"larr\" has_order_task: true", {}, "fingerprint-1");
  const std::string snapshot = run.WriteSnapshot("fingerprint-1");
  const auto write_metrics = [&](const std::string& more) {
    run.Write("evaluate", "metrics.json",
              R"({"models": {"larr": {"validation": {"ctr_auc": 0.75,)"
              R"("calibration": 1.0)" +
                  more + "}}}}",
              {{"align/larr", model}, {"embed", snapshot}}, "");
  };
  write_metrics(R"(, "ctcvr_calibration": 0.95)");
  CHECK(Refusals(run.config()).empty());
  write_metrics(R"(, "ctcvr_calibration": 0.85)");
  CHECK(Refusals(run.config()) ==
        "Refused: mean predicted CTCVR over the mean label is 0.8500; 0.9000 "
        "to 1.1000 is allowed.");
  write_metrics("");
  CHECK(Refusals(run.config()).find("CTCVR over the mean label is nan") !=
        std::string::npos);
}

TEST_CASE("A changed byte, another snapshot or missing metrics are refused",
          "[publish]") {
  const testing::TempDir dir;
  FinishedRun run(dir.path());
  SECTION("a file of the snapshot changed") {
    std::ofstream(dir.path() / "embed" / "data") << "vectorz";
    CHECK(Refusals(run.config()).find("the snapshot is damaged") !=
          std::string::npos);
  }
  SECTION("the snapshot is another embedder's") {
    run.WriteSnapshot("fingerprint-2");
    CHECK(Refusals(run.config())
              .find("fingerprint-1, the snapshot has fingerprint-2") !=
          std::string::npos);
  }
  SECTION("the model reads a column that the snapshot does not store") {
    for (const auto& [column, refused] :
         {std::pair("stars", false), std::pair("price", true)}) {
      run.Write("align-larr", "model.textproto",
                fmt::format("name: \"larr\" dataset {{ tabular_features {{ "
                            "name: \"x\" side: POI dense {{ column: \"{}\" "
                            "}} }} }}",
                            column),
                {}, "fingerprint-1");
      const bool named =
          Refusals(run.config()).find("reads the column `price` of pois") !=
          std::string::npos;
      CHECK(named == refused);
    }
  }
  SECTION("the metrics are another model's") {
    run.Write("align-larr", "model.textproto", "name: \"larr\" ", {},
              "fingerprint-1");
    CHECK(Refusals(run.config()) ==
          "Refused: the metrics were not computed on this align/larr.");
  }
  SECTION("the model is none that is served") {
    run.Write("align-larr", "model.textproto",
              "name: \"larr\" architecture { kind: P5 }", {}, "");
    CHECK(Refusals(run.config()).find("the model is of kind P5") !=
          std::string::npos);
  }
  SECTION("the metrics lack the model") {
    run.Write("evaluate", "metrics.json", "{\"models\": {}}", {}, "");
    CHECK(Refusals(run.config()).find("no validation ctr_auc") !=
          std::string::npos);
  }
}

TEST_CASE("A config without inputs is an error, not a refusal", "[publish]") {
  const testing::TempDir dir;
  FinishedRun run(dir.path());
  run.config().mutable_inputs()->erase("evaluate");
  CHECK(DecidePublish(run.config(), NobodyToJudge).status().code() ==
        absl::StatusCode::kInvalidArgument);
  run.config().mutable_spec()->clear_align();
  CHECK(DecidePublish(run.config(), NobodyToJudge).status().code() ==
        absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace larr::stage
