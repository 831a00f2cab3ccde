// SPDX-License-Identifier: Apache-2.0
#include "tools/experiment/experiment_report.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "tests/testing/temp_dir.h"
#include "tests/tools/experiment/sample_experiment.h"

namespace larr::experiment {
namespace {

using namespace report;  // NOLINT: what reports are made of

// Of arm b with so many seeds, which look at other things and have one map.
Document ReportOf(int seeds) {
  const larr::testing::TempDir dir;
  const Experiment sample = testing::LoadSample(dir.path());
  Results results = *Results::Read(dir.path() / "r");
  for (int seed = 1; seed <= seeds; ++seed) {
    Json result =
        testing::FakeResult(MakeShard(sample, sample.spec.arms(1), seed), 0.7);
    const double menu = 0.25 * seed;
    result["metrics"]["attention"] = {{"features", {"weather", "menu", "agg"}},
                                      {"all", {0.5 - menu, menu, 0.5}},
                                      {"slices", {{"cold", {0.0, 1.0, 0.0}}}}};
    result["recall"] = {{"top", 10},
                        {"precision", 0.2 * seed},
                        {"regions",
                         {{{"region", "North"}, {"precision", 0.2 * seed}},
                          {{"region", "South"}, {"precision", 0.5}}}},
                        {"map",
                         {{"cities", {"Oslo", "Rome"}},
                          {"categories", {"Soup"}},
                          {"explained", 0.25},
                          {"points", {{1.0, 2.0, 1, 0}, {3.0, 4.0, 0, 0}}}}}};
    REQUIRE(results.Add(result).ok());
  }
  return MakeExperimentReport(Collect(sample, results), "tiny");
}

const Section* Find(const Document& document, const std::string& title) {
  const auto at = std::find_if(
      document.sections.begin(), document.sections.end(),
      [&](const Section& section) { return section.title == title; });
  return at == document.sections.end() ? nullptr : &*at;
}

TEST_CASE("Attention is the mean of an arm's seeds", "[experiment]") {
  const Document report = ReportOf(2);
  const Section* section = Find(report, "What the scene encoder looks at");
  REQUIRE(section != nullptr);
  REQUIRE(section->tables.size() == 2);
  CHECK(section->tables[0].headers ==
        std::vector<std::string>{"arm", "weather", "menu", "agg"});
  CHECK(section->tables[0].rows == std::vector<std::vector<std::string>>{
                                       {"b", "12.5 %", "37.5 %", "50.0 %"}});
  CHECK(section->tables[1].rows == std::vector<std::vector<std::string>>{
                                       {"cold", "0.0 %", "100.0 %", "0.0 %"}});
  CHECK(section->plots.at(0).rows.size() == 3);
}

TEST_CASE("POIs are drawn twice, once for each language model",
          "[experiment]") {
  const Document report = ReportOf(2);
  const Section* section = Find(report, "Where the vectors put POIs");
  REQUIRE(section != nullptr);
  REQUIRE(section->plots.size() == 2);
  const Plot& by_city = section->plots[0];
  CHECK(by_city.caption == "b: by city, 25.0 % of the variance");
  REQUIRE(by_city.series.size() == 2);
  CHECK(by_city.series[1].name == "Rome");
  CHECK(by_city.series[1].points.at(0).x == 1);
  CHECK(section->plots[1].series.at(0).points.size() == 2);
}

// The row that begins with `first`; null if there is none.
const std::vector<std::string>* FindRow(const Table& table,
                                        const std::string& first) {
  for (const auto& row : table.rows)
    if (row[0] == first) return &row;
  return nullptr;
}

TEST_CASE("Claims are told by every metric, and judged by the first",
          "[experiment]") {
  const Document report = ReportOf(2);
  const Section* section = Find(report, "Claims");
  REQUIRE(section != nullptr);
  REQUIRE(section->tables.size() == 2);
  CHECK(
      section->tables[1].headers ==
      std::vector<std::string>{"claim", "CTCVR AUC", "CTR GAUC", "CTCVR GAUC"});
  CHECK(section->tables[1].rows[0] ==
        std::vector<std::string>{"b above Arm A", "-", "-", "-"});
}

TEST_CASE("Slices tell how the arms of claims differ there", "[experiment]") {
  const larr::testing::TempDir dir;
  const Experiment sample = testing::LoadSample(dir.path());
  Results results = *Results::Read(dir.path() / "r");
  for (int seed = 1; seed <= 3; ++seed)
    for (const int arm : {0, 1})
      REQUIRE(results
                  .Add(testing::FakeResult(
                      MakeShard(sample, sample.spec.arms(arm), seed),
                      0.6 + 0.1 * arm))
                  .ok());
  const Document report =
      MakeExperimentReport(Collect(sample, results), "tiny");
  const Section* section = Find(report, "By slice");
  REQUIRE(section != nullptr);
  REQUIRE(section->tables.size() == 2);
  const Table& table = section->tables[1];
  CHECK(table.headers ==
        std::vector<std::string>{"slice", "b minus Arm A", "Arm A minus b"});
  const auto* cold = FindRow(table, "cold");
  REQUIRE(cold != nullptr);
  CHECK((*cold)[1] == "+0.1000 [+0.1000, +0.1000]");
  CHECK((*cold)[2] == "-0.1000 [-0.1000, -0.1000]");
}

TEST_CASE("Calibration stands beside the truth's", "[experiment]") {
  const Document report = ReportOf(2);
  const Section* section = Find(report, "Calibration");
  REQUIRE(section != nullptr);
  const auto* arm = FindRow(section->tables.at(0), "b");
  const auto* bayes = FindRow(section->tables.at(0), "Bayes bound");
  REQUIRE(arm != nullptr);
  REQUIRE(bayes != nullptr);
  CHECK((*arm)[1] == "1.0200");
  CHECK((*bayes)[2] == "0.4000");
  CHECK(arm->back() == "-");  // no validation rows in these results
}

TEST_CASE("Stages' times are each arm's own", "[experiment]") {
  const Document report = ReportOf(2);
  const Section* section = Find(report, "Running it again");
  REQUIRE(section != nullptr);
  CHECK(section->tables.at(1).rows ==
        std::vector<std::vector<std::string>>{
            {"b", "align/x", "2", "12 s", "1,000 samples/s"}});
}

TEST_CASE("Regions are told of each language model", "[experiment]") {
  const Document report = ReportOf(2);
  const Section* section = Find(report, "What the language model learned");
  REQUIRE(section != nullptr);
  const auto& all = section->tables.at(0).rows;
  REQUIRE(all.size() == 1);
  CHECK(all[0][1] == "2");
  CHECK(all[0][2] == "30.0 % ± 14.1 %");
  CHECK(section->tables.at(1).headers ==
        std::vector<std::string>{"arm", "North", "South"});
  CHECK(section->tables.at(1).rows ==
        std::vector<std::vector<std::string>>{{"b", "30.0 %", "50.0 %"}});
}

TEST_CASE("What no shard tells has no section", "[experiment]") {
  const Document report = ReportOf(0);
  CHECK(Find(report, "What the scene encoder looks at") == nullptr);
  CHECK(Find(report, "Where the vectors put POIs") == nullptr);
}

}  // namespace
}  // namespace larr::experiment
