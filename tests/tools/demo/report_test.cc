// SPDX-License-Identifier: Apache-2.0
#include "tools/demo/report.h"

#include <catch2/catch.hpp>

#include "common/base/files.h"
#include "tests/testing/temp_dir.h"

namespace larr::demo {
namespace {

namespace fs = std::filesystem;

void Write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  REQUIRE(WriteFileAtomically(path, text).ok());
}

// A demo whose parts said something, with a run's artifacts on disk.
struct Finished {
  testing::TempDir dir;
  Demo demo = *Demo::Open(
      {.out = dir.path() / "out", .size = "tiny", .base_model = dir.path()});
  Findings findings;

  Finished() {
    const std::string run = (dir.path() / "run").string();
    Write(run + "/evaluate/metrics.json", R"({"models": {
      "ple": {"test": {"ctr_auc": 0.7, "ctcvr_auc": 0.71, "ctr_gauc": 0.69,
                       "ctcvr_gauc": null, "ctr_auc_interval": [0.6, 0.8],
                       "slices": {"cold": {"ctr_auc": 0.6}}}},
      "larr": {"test": {"ctr_auc": 0.72, "ctcvr_auc": 0.73, "ctr_gauc": 0.7,
                        "ctcvr_gauc": 0.7}}},
      "bayes": {"test": {"ctr_auc": 0.8, "ctcvr_auc": 0.85}}})");
    Write(run + "/pretrain.work/progress.jsonl",
          "{\"step\":1,\"total\":2,\"loss\":3.5}\n"
          "{\"step\":2,\"total\":2,\"loss\":3}\n"
          "{\"step\":2,\"total\":2,\"loss\":2.5}\n{\"step\":3,\"lo");
    findings.city = Json::parse(
        R"({"parts": {"train": {"rows": 30}, "test": {"rows": 10}}, "seconds": 2})");
    findings.training = Json::parse(
        R"({"seconds": 60, "run": {"name": "trainingRuns/demo", "state": "SUCCEEDED",
            "stages": [
              {"id": "pretrain", "state": "SUCCEEDED", "artifactPath": ")" +
        run + R"(/pretrain", "progress": {"elapsedSeconds": 20, "throughput": 5,
               "throughputUnit": "tokens/s"}},
              {"id": "evaluate", "state": "SUCCEEDED", "artifactPath": ")" +
        run + R"(/evaluate", "startTime": "2025-01-01T00:00:00Z",
               "endTime": "2025-01-01T00:00:04Z"}],
            "publishReasons": ["</script> is only text"]}})");
    findings.served = Json::parse(
        R"({"scores": 10, "max_abs_diff": 1e-7, "ctr_auc": 0.7,
            "scores_per_second": 5, "seconds": 3})");
    findings.refresh = Json::parse(
        R"({"texts_total": 100, "texts_encoded": 60, "seconds": 6})");
    findings.recall = Json::parse(
        R"({"precision_at_10": 0.5, "regions": [1, 2], "seconds": 4})");
  }
};

TEST_CASE("The report has every key that is promised", "[demo]") {
  const Finished finished;
  const auto report = MakeReport(finished.demo, finished.findings);
  INFO(report.status().ToString());
  REQUIRE(report.ok());
  const Json& json = *report;
  CHECK(json["models"]["ple"]["ctr_auc"] == 0.7);
  CHECK(json["models"]["ple"]["ctcvr_gauc"].is_null());
  CHECK(json["models"]["larr"]["ctcvr_gauc"] == 0.7);
  CHECK(json["bayes"]["ctcvr_auc"] == 0.85);
  CHECK(json["served"]["scores"] == 10);
  CHECK(json["served"]["max_abs_diff"] == 1e-7);
  CHECK(json["refresh"]["texts_encoded"] == 60);
  CHECK(json["recall"]["precision_at_10"] == 0.5);
  CHECK(json["seconds_total"] == 75);
  CHECK(json["stages"]["pretrain"]["seconds"] == 20);
  CHECK(json["stages"]["pretrain"]["unit"] == "tokens/s");
  CHECK(json["stages"]["evaluate"]["seconds"] == 4);
  CHECK(json["stages"]["city"]["throughput"] == 20);
  CHECK(json["stages"]["refresh"]["throughput"] == 10);
  // The step that was done twice counts once, the torn line not at all.
  CHECK(json["losses"]["pretrain"] == Json::parse("[[1, 3.5], [2, 2.5]]"));
  CHECK_FALSE(json["losses"].contains("evaluate"));
}

TEST_CASE("The page holds the report and opens by itself", "[demo]") {
  const Finished finished;
  const auto report = MakeReport(finished.demo, finished.findings);
  REQUIRE(report.ok());
  REQUIRE(WriteReport(finished.demo, *report).ok());
  const std::string page = *ReadFile(finished.demo.path("report.html"));
  CHECK(page.find("__REPORT__") == std::string::npos);
  CHECK(page.find("LARR on the simulated city") != std::string::npos);
  CHECK(page.find("\"max_abs_diff\":1e-07") != std::string::npos);
  // Only the page's own script ends.
  CHECK(page.find("</script> is only text") == std::string::npos);
  for (const char* outside : {"src=", "href=", "@import", "fetch("}) {
    CHECK(page.find(outside) == std::string::npos);
  }
  CHECK(Json::parse(*ReadFile(finished.demo.path("report.json"))) == *report);
}

TEST_CASE("The table shows models, bound and parts", "[demo]") {
  const Finished finished;
  const std::string text =
      ReportText(*MakeReport(finished.demo, finished.findings));
  CHECK_THAT(
      text, Catch::Contains("Bayes bound") && Catch::Contains("0.7200") &&
                Catch::Contains("pretrain") && Catch::Contains("5.0 tokens/s"));
  CHECK_THAT(text, Catch::Contains("10 scores over gRPC, at most 1e-07 apart"));
  CHECK_THAT(text, Catch::Contains("60 of 100 texts encoded"));
  CHECK_THAT(text, Catch::Contains("50 % lie in it"));
  CHECK_THAT(text, Catch::Contains("00:01:15"));
}

}  // namespace
}  // namespace larr::demo
