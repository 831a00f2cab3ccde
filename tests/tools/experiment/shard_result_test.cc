// SPDX-License-Identifier: Apache-2.0
#include "tools/experiment/shard_result.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "common/base/artifact_folder.h"
#include "tests/testing/temp_dir.h"
#include "tests/tools/experiment/sample_experiment.h"

namespace larr::experiment {
namespace {

using coordinator::v1::StageRun;
using coordinator::v1::TrainingRun;

// A finished run with artifacts in `folder`.
struct FinishedRun {
  larr::testing::TempDir dir;
  Experiment sample = testing::LoadSample(dir.path());
  Shard shard = MakeShard(sample, sample.spec.arms(1), 1);
  TrainingRun run;

  FinishedRun() {
    run.set_name("trainingRuns/x-1");
    Add("pretrain", 100, "other");
    Add("contrast", 50, "");
    Add("align/larr", 20, "");
    Add("evaluate", 5, "");
    auto writer = ArtifactWriter::Create(dir.path() / "evaluate");
    REQUIRE(writer.ok());
    REQUIRE(writer->Finish({}).ok());
    testing::Write(dir.path() / "pretrain/training.json", R"({
      "held_out": {"measures": {"dishes": {"loss_before": 3, "loss_after": 2}}},
      "curve": [{"step": 1, "loss": 3.00000012}, {"step": 2, "loss": 2}]})");
    testing::Write(dir.path() / "contrast/training.json",
                   R"({"held_out_recall": {"before": {}, "after": {}}})");
    std::string loss;
    for (int i = 1; i <= 1000; ++i)
      loss += (i > 1 ? "," : "") + std::string("{\"step\": ") +
              std::to_string(10 * i) + ", \"loss\": " + std::to_string(i) + "}";
    testing::Write(dir.path() / "align-larr/training.json",
                   "{\"loss\": [" + loss + "]}");
    testing::Write(dir.path() / "evaluate/metrics.json", R"({
      "models": {"larr": {"test": {"ctr_auc": 0.7123456789}, "validation": {}},
                 "other": {}},
      "bayes": {"test": {"ctr_auc": 0.8}}})");
    testing::Write(dir.path() / "evaluate/replicates.json", R"({
      "draws": 2,
      "models": {"larr": {"all": {"ctr_auc": [0.71, 0.72]},
                          "slices": {"cold": {"ctr_auc": [0.6, 0.61]}}}},
      "bayes": {}})");
  }
  void Add(const std::string& id, double seconds, const std::string& from) {
    StageRun& stage = *run.add_stages();
    stage.set_id(id);
    stage.mutable_progress()->set_elapsed_seconds(seconds);
    stage.set_shared_from(from);
    std::string folder = id;
    std::replace(folder.begin(), folder.end(), '/', '-');
    stage.set_artifact_path((dir.path() / folder).string());
  }
  absl::StatusOr<Json> Result() const {
    return MakeShardResult(shard, {"0123456789ab", "t", "d", "m"}, "tiny", run);
  }
};

TEST_CASE("A run leaves all that a report needs, and little of it",
          "[experiment]") {
  const FinishedRun finished;
  const auto result = finished.Result();
  INFO(result.status().ToString());
  REQUIRE(result.ok());
  CHECK((*result)["arm"] == "b");
  CHECK((*result)["spec"] == finished.shard.text);
  CHECK((*result)["seconds"] == 75);  // without the shared stage's
  CHECK((*result)["stages"][0]["shared_from"] == "other");
  // Of the program that ran the stage, which may be another than this.
  CHECK((*result)["code_version"] == std::string(CodeVersion()));
  CHECK((*result)["stages"][3]["code_version"] == std::string(CodeVersion()));
  CHECK_FALSE((*result)["stages"][1].contains("code_version"));
  CHECK((*result)["metrics"]["test"]["ctr_auc"] == 0.712346);
  CHECK((*result)["bayes"]["test"]["ctr_auc"] == 0.8);
  CHECK((*result)["replicates"]["draws"] == 2);
  CHECK((*result)["replicates"]["all"]["ctr_auc"][1] == 0.72);
  CHECK((*result)["replicates"]["slices"]["cold"]["ctr_auc"][0] == 0.6);
  CHECK((*result)["curves"]["align"].size() == 200);
  CHECK((*result)["curves"]["pretrain"] == Json{{1, 3.0}, {2, 2}});
  CHECK((*result)["pretrain"]["measures"]["dishes"]["loss_after"] == 2);
  CHECK((*result)["contrast"].contains("after"));
  CHECK((*result)["machine"]["cores"].get<int>() > 0);
  CHECK_THAT((*result)["date"].get<std::string>(), Catch::EndsWith("Z"));

  const std::string text = ResultText(*result);
  CHECK(Json::parse(text) == *result);
  CHECK(std::count(text.begin(), text.end(), '\n') ==
        static_cast<int64_t>(result->size()) + 2);
  CHECK(text.size() < 60'000);
}

TEST_CASE("What a run has not is left out; without metrics it is no result",
          "[experiment]") {
  FinishedRun finished;
  std::filesystem::remove(finished.dir.path() / "evaluate/replicates.json");
  std::filesystem::remove(finished.dir.path() / "contrast/training.json");
  const auto result = finished.Result();
  REQUIRE(result.ok());
  CHECK_FALSE(result->contains("replicates"));
  CHECK_FALSE(result->contains("contrast"));
  testing::Write(finished.dir.path() / "evaluate/metrics.json",
                 R"({"models": {"ple": {}}})");
  CHECK(absl::IsDataLoss(finished.Result().status()));
  finished.run.mutable_stages()->RemoveLast();
  CHECK(absl::IsDataLoss(finished.Result().status()));
}

TEST_CASE("A thin curve keeps its end, and means of the rest", "[experiment]") {
  const Json curve = {{1, 1.0}, {2, 3.0}, {3, 5.0}, {4, 7.0}};
  CHECK(ThinCurve(curve, 2) == Json{{2, 2.0}, {4, 6.0}});
  CHECK(ThinCurve(curve, 9) == curve);
  CHECK(ThinCurve(Json::array(), 9).empty());
}

}  // namespace
}  // namespace larr::experiment
