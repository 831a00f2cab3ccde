// SPDX-License-Identifier: Apache-2.0
//
// A second dataset needs no code: the coupon survey through its own spec. On a
// small table of the same shape always, on the real survey where it is there:
// at $LARR_COUPON_CSV, or below ../shared/data beside the checkout.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>

#include "common/dataset/impression_stream.h"
#include "common/dataset/validate_dataset.h"
#include "common/features/feature_learner.h"
#include "services/stage/corpus.h"
#include "tests/testing/survey.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

namespace fs = std::filesystem;
using testing::WriteSurvey;

double Auc(std::vector<std::pair<double, bool>> scored) {
  std::sort(scored.begin(), scored.end());
  double positives = 0;
  double ranks = 0;
  for (size_t i = 0; i < scored.size(); ++i) {
    if (!scored[i].second) continue;
    positives += 1;
    ranks += static_cast<double>(i) + 1;
  }
  const double negatives = static_cast<double>(scored.size()) - positives;
  return (ranks - positives * (positives + 1) / 2) / (positives * negatives);
}

struct Example {
  std::vector<int64_t> ids;
  std::vector<float> dense;
  bool taken;
};

// A logistic regression on what the encoder gives: learned on the training
// part, its AUC on the test part.
double LinearAuc(const Dataset& dataset) {
  auto learner = FeatureLearner::Create(dataset.spec);
  REQUIRE(learner.ok());
  const auto each = [&](Part part, auto use) {
    auto stream = ImpressionStream::Open(dataset, {.part = part});
    REQUIRE(stream.ok());
    Impression row;
    while (*stream->Next(row)) use(row);
  };
  each(Part::kTrain, [&](const Impression& row) { learner->Add(row.rows()); });
  const auto encoder = TabularEncoder::Create(dataset.spec, learner->Finish());
  REQUIRE(encoder.ok());
  const auto read = [&](Part part) {
    std::vector<Example> examples;
    each(part, [&](const Impression& row) {
      Example& one = examples.emplace_back();
      one.ids.resize(encoder->categorical().size());
      one.dense.resize(encoder->dense().size());
      one.taken = row.click > 0;
      encoder->Encode(row.rows(), one.ids, one.dense);
    });
    return examples;
  };
  std::vector<std::vector<double>> weights;
  for (const auto& column : encoder->categorical()) {
    weights.emplace_back(column.table_size, 0.0);
  }
  std::vector<double> slopes(encoder->dense().size(), 0.0);
  const auto logit = [&](const Example& one) {
    double sum = 0;
    for (size_t f = 0; f < weights.size(); ++f) sum += weights[f][one.ids[f]];
    for (size_t d = 0; d < slopes.size(); ++d) sum += slopes[d] * one.dense[d];
    return sum;
  };
  const auto training = read(Part::kTrain);
  for (int epoch = 0; epoch < 20; ++epoch) {
    for (const Example& one : training) {
      const double step = 0.01 * (one.taken - 1 / (1 + std::exp(-logit(one))));
      for (size_t f = 0; f < weights.size(); ++f) {
        weights[f][one.ids[f]] += step;
      }
      for (size_t d = 0; d < slopes.size(); ++d) {
        slopes[d] += step * one.dense[d];
      }
    }
  }
  std::vector<std::pair<double, bool>> scored;
  for (const Example& one : read(Part::kTest)) {
    scored.emplace_back(logit(one), one.taken);
  }
  return Auc(std::move(scored));
}

// What must hold for the survey, small or real. Returns its report.
DatasetReport CheckSurvey(const fs::path& folder) {
  const auto dataset = OpenDataset(folder / "dataset.textproto");
  INFO(dataset.status().ToString());
  REQUIRE(dataset.ok());
  const auto report = ValidateDataset(*dataset);
  INFO(report.status().ToString());
  REQUIRE(report.ok());
  INFO(ToText(*report));
  CHECK_FALSE(report->has_leak());
  for (const auto& table : report->tables) CHECK(table.joined == 1);
  for (const auto& feature : report->features) CHECK(feature.coverage > 0.5);

  // People do not leak: no profile is on two sides.
  std::set<std::string> seen;
  for (const Part part : {Part::kTrain, Part::kValidation, Part::kTest}) {
    auto stream = ImpressionStream::Open(*dataset, {.part = part});
    REQUIRE(stream.ok());
    std::set<std::string> profiles;
    Impression row;
    while (*stream->Next(row)) profiles.insert(row.user_id);
    for (const auto& profile : profiles) CHECK(seen.insert(profile).second);
  }

  config::v1::StageConfig config;
  config.set_stage(config::v1::StageConfig::CORPUS);
  config.mutable_spec()->set_dataset((folder / "dataset.textproto").string());
  config.set_output((folder / "corpus").string());
  stage::StageContext context{config, stage::ProgressWriter(folder)};
  const auto status = stage::RunCorpus(context);
  INFO(status.ToString());
  CHECK(status.ok());
  return *report;
}

TEST_CASE("A survey of the coupon data's shape needs no code", "[coupon]") {
  const testing::TempDir dir;
  WriteSurvey(dir.path() / "survey.csv");
  const auto [code, printed] =
      testing::ImportSurvey(dir.path() / "survey.csv", dir.path() / "data");
  INFO(printed);
  REQUIRE(code == 0);
  CHECK_THAT(printed, Catch::Contains("480 rows of 40 profiles"));
  const auto report = CheckSurvey(dir.path() / "data");
  CHECK(report.rows == 480);
  const auto dataset = OpenDataset(dir.path() / "data" / "dataset.textproto");
  CHECK(LinearAuc(*dataset) > 0.6);
}

TEST_CASE("The survey's people can be divided several ways", "[coupon]") {
  const testing::TempDir dir;
  WriteSurvey(dir.path() / "survey.csv");
  REQUIRE(
      testing::ImportSurvey(dir.path() / "survey.csv", dir.path(), "2").first ==
      0);
  const auto test_profiles = [&](const std::string& spec) {
    const auto dataset = OpenDataset(dir.path() / spec);
    REQUIRE(dataset.ok());
    auto stream = ImpressionStream::Open(*dataset, {.part = Part::kTest});
    REQUIRE(stream.ok());
    std::set<std::string> profiles;
    Impression row;
    while (*stream->Next(row)) profiles.insert(row.user_id);
    return profiles;
  };
  CHECK(test_profiles("dataset-1.textproto") ==
        test_profiles("dataset.textproto"));
  CHECK(test_profiles("dataset-1.textproto") !=
        test_profiles("dataset-2.textproto"));
  CHECK_FALSE(fs::exists(dir.path() / "dataset-3.textproto"));
  CHECK(
      testing::ImportSurvey(dir.path() / "survey.csv", dir.path(), "x").first ==
      1);
}

TEST_CASE("The import refuses what it cannot read", "[coupon]") {
  const testing::TempDir dir;
  const auto csv = dir.path() / "survey.csv";
  const auto message = [&] {
    const auto [code, printed] =
        testing::ImportSurvey(csv, dir.path() / "data");
    CHECK(code == 1);
    return printed;
  };
  CHECK_THAT(message(), Catch::Contains("no such file"));
  std::ofstream(csv) << "destination,Y\nHome,1\n";
  CHECK_THAT(message(), Catch::Contains("lacks the columns Bar, CarryAway"));
  WriteSurvey(csv);
  std::ofstream(csv, std::ios::app) << "Home,Alone,Sunny,warm,7AM,Bar,1d,Male,"
                                       "26,Single,0,Degree,Job,$1,never,"
                                       "1~3,,4~8,never,1,0,0,1,0,1\n";
  CHECK_THAT(message(),
             Catch::Contains("line 482: column temperature is `warm`"));
  CHECK_FALSE(fs::exists(dir.path() / "data" / "impressions.parquet"));
}

TEST_CASE("The real survey, where it is there", "[coupon]") {
  const fs::path csv = testing::RealSurvey();
  if (!fs::exists(csv)) {
    WARN("skipped: no survey at " << csv.string()
                                  << "; set LARR_COUPON_CSV to its path");
    return;
  }
  const testing::TempDir dir;
  const auto [code, printed] = testing::ImportSurvey(csv, dir.path());
  INFO(printed);
  REQUIRE(code == 0);
  CHECK_THAT(printed, Catch::Contains("12684 rows of 567 profiles"));
  const auto report = CheckSurvey(dir.path());
  double taken = 0;
  for (const auto& part : report.days) taken += part.clicks;
  CHECK(taken / report.rows == Approx(0.568).margin(0.001));
  const auto dataset = OpenDataset(dir.path() / "dataset.textproto");
  const double auc = LinearAuc(*dataset);
  // With profiles on one side. 0.9 and more would be a leak of people.
  INFO("AUC of a linear model on unseen people: " << auc);
  CHECK(auc > 0.70);
  CHECK(auc < 0.80);
}

}  // namespace
}  // namespace larr
