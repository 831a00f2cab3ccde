// SPDX-License-Identifier: Apache-2.0
//
// An online test in a tiny city, with models that the stages trained, over the
// real services. One market is left alone; another is killed between its days,
// and all that it started with it. Both must come to the same result. So must
// two that train every night, one of them killed while it trains.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "common/base/artifact_folder.h"
#include "common/base/files.h"
#include "common/config/text_proto.h"
#include "common/dataset/dataset_spec.h"
#include "common/dataset/parquet_reader.h"
#include "common/dataset/validate_dataset.h"
#include "examples/city/generator.h"
#include "services/scoring/arm_table.h"
#include "tests/integration/coordinator_fixture.h"

namespace larr {
namespace {

namespace fs = std::filesystem;
using config::v1::TrainingSpec;
using coordinator::v1::TrainingRun;
using nlohmann::ordered_json;

constexpr char kSpec[] = R"(
  corpus { held_out_fraction: 0.1 }
  pretrain {
    steps: 1 descriptions_per_step: 4 max_tokens: 96 precision: FP32
    optimizer { learning_rate: 1e-3 new_parameter_learning_rate: 1e-3 }
  }
  contrast {
    steps: 2 pairs_per_step: 4 max_tokens: 96 precision: FP32 temperature: 0.05
    user_user_weight: 1 poi_poi_weight: 1 user_poi_weight: 1
    optimizer { learning_rate: 1e-3 new_parameter_learning_rate: 1e-3 }
  }
  embed { tokens_per_batch: 2048 precision: FP32 }
  align {
    name: "ple" batch_size: 100 learning_rate: 0.01
    architecture { kind: PLE embedding_width: 4 expert_widths: [ 16, 8 ]
                   tower_width: 8 }
  }
  align {
    name: "larr" batch_size: 100 learning_rate: 0.01
    architecture { kind: LARR embedding_width: 4 expert_widths: [ 16, 8 ]
                   tower_width: 8 encoder_ffn_width: 32 }
  }
  evaluate { bootstrap_samples: 5 }
  publish { max_auc_loss: 1 max_calibration_error: 100 }
  threads: 1
  seed: 7
)";

config::v1::CoordinatorConfig Config() {
  config::v1::CoordinatorConfig config;
  config.set_stage_program(STAGE);
  config.set_cpu_slots(2);
  return config;
}

// Without what is a matter of time.
void Forget(ordered_json& json) {
  if (json.is_object()) json.erase("latency_ms");
  if (json.is_structured()) {
    for (auto& inner : json) Forget(inner);
  }
}

class MarketProgramTest : public testing::CoordinatorFixture {
 public:
  MarketProgramTest() : CoordinatorFixture(COORDINATOR, Config()) {
    REQUIRE(city::GenerateCity(
                {.seed = 1, .pois = 240, .users = 60, .impressions = 8000},
                path("city"),
                [](const std::string&, int64_t) { return absl::OkStatus(); })
                .ok());
    Train();
  }

 protected:
  void Train() {
    auto spec = *ParseTextProto<TrainingSpec>(kSpec);
    spec.set_dataset(path("city/dataset.textproto"));
    spec.set_base_model(fs::path(std::getenv("LARR_SOURCE_DIR")) /
                        "tests/golden/tiny_llama");
    StartRun("tiny", spec);
    const TrainingRun run = FinishRun("tiny");
    INFO(run.ShortDebugString());
    REQUIRE(run.state() == TrainingRun::SUCCEEDED);
    coordinator_.reset();  // The coordinator has done its part.
  }

  // One whose name begins with `nightly` trains every night.
  std::unique_ptr<testing::Program> Start(const std::string& out) const {
    const std::string run = path("artifacts/runs/tiny");
    std::vector<std::string> words = {MARKET,
                                      "--out",
                                      path(out),
                                      "--dataset",
                                      path("city"),
                                      "--ple",
                                      run + "/align-ple",
                                      "--larr",
                                      run + "/align-larr",
                                      "--embedder",
                                      run + "/contrast",
                                      "--snapshot",
                                      run + "/embed",
                                      "--days",
                                      out.starts_with("nightly") ? "3" : "2",
                                      "--requests",
                                      "150",
                                      "--candidates",
                                      "20"};
    if (out.starts_with("nightly")) words.emplace_back("--retrain");
    return std::make_unique<testing::Program>(words, path(out + ".log"));
  }

  // The result of a market that comes to its end.
  ordered_json Finish(const std::string& out) const {
    const int status = Start(out)->Wait();
    INFO(*ReadFile(path(out + ".log")));
    REQUIRE(status == 0);
    return ordered_json::parse(*ReadFile(path(out + "/market.json")));
  }
};

TEST_CASE_METHOD(MarketProgramTest, "A market, killed or not, gives one result",
                 "[integration]") {
  ordered_json calm = Finish("calm");

  // Killed between days: with the first of the second test's just committed.
  {
    const auto stormy = Start("stormy");
    REQUIRE(testing::Eventually(
        [&] {
          return fs::exists(path("stormy/ab/days/2025-04-11.json")) ||
                 !stormy->Lives();
        },
        std::chrono::seconds(60)));
    stormy->Kill();
    CHECK_FALSE(fs::exists(path("stormy/market.json")));
  }
  ordered_json stormy = Finish("stormy");
  Forget(calm);
  Forget(stormy);
  CHECK(calm == stormy);
  for (const char* test : {"aa", "ab"}) {
    for (const char* day : {"2025-04-11", "2025-04-12"}) {
      for (const char* table : {"dataset/users", "dataset/pois",
                                "dataset/impressions", "requests"}) {
        const std::string file =
            fmt::format("/{}/{}/date={}/part-0.parquet", test, table, day);
        INFO(file);
        CHECK(*Sha256File(path("calm" + file)) ==
              *Sha256File(path("stormy" + file)));
      }
    }
  }

  // Both arms served alike in the A/A test, and not in the other.
  const auto& aa = calm["aa"];
  const auto& ab = calm["ab"];
  CHECK(aa["users"] == ab["users"]);
  CHECK(ab["against_aa"]["treatment"]["metrics"]["ctr"]["interval"] !=
        ordered_json::parse("[0, 0]"));
  double requests = 0;
  for (const char* arm : {"control", "treatment"}) {
    const auto& day = ab["days"][0]["arms"][arm];
    requests += day["requests"].get<double>();
    CHECK(day["impressions"] == 10 * day["requests"].get<double>());
    CHECK(day["missing"]["users"] == 0);
    CHECK(day["missing"]["pois"] == 0);
    CHECK(day["missing"]["texts"] == 0);
    CHECK(day["new_impressions"].get<double>() > 0);
    CHECK(day["best_clicks"] >= day["expected_clicks"]);
  }
  CHECK(requests == 150);
  // On the first day, nothing has happened yet that could differ.
  CHECK(ab["against_aa"]["control"]["by_day"][0]["ctr"]["lift"] == 0);

  // Each user was in the arm that the service's rule says.
  scoring::v1::Arms arms;
  arms.set_salt("market-1");
  for (const char* name : {"control", "treatment"}) {
    arms.add_arms()->set_name(name);
    arms.mutable_arms()->rbegin()->set_weight(5000);
  }
  const auto table = ArmTable::Create(arms);
  REQUIRE(table.ok());
  const auto file = ParquetFile::Open(
      path("calm/ab/requests/date=2025-04-12/part-0.parquet"));
  REQUIRE(file.ok());
  const auto group = file->Read(0, {"user_id", "arm"});
  REQUIRE(group.ok());
  for (int64_t i = 0; i < group->rows(); ++i) {
    const int arm = table->ArmOf(group->column(0).String(i), "");
    CHECK(group->column(1).String(i) == arms.arms(arm).name());
  }

  // What the market logged is a dataset.
  const auto dataset = OpenDataset(path("calm/ab/dataset/dataset.textproto"));
  INFO(dataset.status().ToString());
  REQUIRE(dataset.ok());
  CHECK(dataset->days().back() == "2025-04-12");
  const auto report = ValidateDataset(*dataset);
  INFO(report.status().ToString());
  REQUIRE(report.ok());
  CHECK_FALSE(report->has_leak());
}

// The training of a test's second day: checked on its first day, with the
// snapshot of that morning.
void CheckMorning(const std::string& test, const ordered_json& facts,
                  const std::string& arm, const std::string& name) {
  const fs::path run = test + "/artifacts/runs/" + name + "-2025-04-12";
  INFO(run.string());
  const auto metrics =
      ordered_json::parse(*ReadFile(run / "evaluate/metrics.json"));
  const auto& model = metrics["models"][name];
  CHECK(model["validation"]["rows"] == 1500);  // 150 requests of the first day.
  CHECK(model["test"]["rows"] == 0);
  const auto decision = LoadTextProto<config::v1::PublishDecision>(
      run / "publish/publish.textproto");
  REQUIRE(decision.ok());
  CHECK(decision->snapshot_path().starts_with(test + "/snapshots/"));
  const auto snapshot = ReadArtifact(decision->snapshot_path());
  const auto evaluate = ReadArtifact(run / "evaluate");
  REQUIRE(snapshot.ok());
  REQUIRE(evaluate.ok());
  CHECK(evaluate->parents().at("embed") == snapshot->digest());
  const auto& trained = facts["arms"][arm]["trained"];
  CHECK(trained ==
        (decision->accepted() ? ordered_json("2025-04-12") : ordered_json()));
}

TEST_CASE_METHOD(MarketProgramTest,
                 "A market that trains every night, killed or not, gives one "
                 "result",
                 "[integration]") {
  ordered_json calm = Finish("nightly-calm");
  {
    const auto stormy = Start("nightly-stormy");
    REQUIRE(testing::Eventually(
        [&] {
          return fs::exists(
                     path("nightly-stormy/ab/artifacts/runs/larr-2025-04-13/"
                          "align-larr.work/progress.jsonl")) ||
                 !stormy->Lives();
        },
        std::chrono::seconds(120)));
    stormy->Kill();
    CHECK_FALSE(fs::exists(path("nightly-stormy/market.json")));
  }
  ordered_json stormy = Finish("nightly-stormy");
  Forget(calm);
  Forget(stormy);
  CHECK(calm == stormy);
  CHECK(calm["settings"]["retrain"] == true);
  for (const char* arm : {"control", "treatment"})
    CHECK(calm["ab"]["days"][0]["arms"][arm]["trained"].is_null());
  const auto& ab = calm["ab"]["days"][1];
  CheckMorning(path("nightly-calm/ab"), ab, "control", "ple");
  CheckMorning(path("nightly-calm/ab"), ab, "treatment", "larr");
  const auto& aa = calm["aa"]["days"][1];
  CheckMorning(path("nightly-calm/aa"), aa, "control", "ple");
  CheckMorning(path("nightly-calm/aa"), aa, "treatment", "ple");
  // Some model of a morning served.
  CHECK((ab["arms"]["control"]["trained"] == "2025-04-12" ||
         ab["arms"]["treatment"]["trained"] == "2025-04-12"));
}

}  // namespace
}  // namespace larr
