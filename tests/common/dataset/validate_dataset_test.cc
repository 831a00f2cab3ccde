// SPDX-License-Identifier: Apache-2.0
#include "common/dataset/validate_dataset.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_dataset.h"

namespace larr {
namespace {

DatasetReport Validate(const std::filesystem::path& folder,
                       const config::v1::DatasetSpec& spec) {
  const auto dataset = OpenDataset(spec, folder);
  INFO(dataset.status().ToString());
  REQUIRE(dataset.ok());
  const auto report = ValidateDataset(*dataset);
  INFO(report.status().ToString());
  REQUIRE(report.ok());
  return *report;
}

const FeatureReport& Feature(const DatasetReport& report,
                             const std::string& name) {
  for (const auto& feature : report.features) {
    if (feature.name == name) return feature;
  }
  FAIL("no feature " << name);
  return report.features[0];
}

bool Finds(const DatasetReport& report, bool leak, const std::string& where,
           const std::string& what) {
  return std::any_of(report.findings.begin(), report.findings.end(),
                     [&](const Finding& finding) {
                       return finding.leak == leak && finding.where == where &&
                              finding.what.find(what) != std::string::npos;
                     });
}

TEST_CASE("A report tells rows, rates, coverage and distribution",
          "[dataset]") {
  const testing::TempDir dir;
  testing::WriteTinyTables(dir.path(), 120);
  const auto report = Validate(dir.path(), testing::TinySpec());
  CHECK(report.rows == 720);
  CHECK(report.sampled_rows == 720);
  REQUIRE(report.days.size() == 6);
  CHECK(report.days[2].part == "train");
  CHECK(report.days[2].rows == 120);
  CHECK(report.days[2].clicks == 60);
  CHECK(report.days[2].orders == 30);
  CHECK(report.tables[0].joined == 0.75);  // User 4 is unknown.
  CHECK(report.tables[1].partitions == 6);
  CHECK(Finds(report, false, "users", "25.0% of impressions find no row"));

  const auto& hour = Feature(report, "hour");
  CHECK(hour.coverage == 1);
  CHECK(hour.distinct == 3);
  CHECK(hour.top[0].second == Approx(1.0 / 3).margin(0.01));
  const auto& intro = Feature(report, "intro");  // p3 has none, p4 is unknown.
  CHECK(intro.kind == "keyword");
  CHECK(intro.coverage == Approx(0.6));
  CHECK(intro.top[0].first.starts_with("<intro>We cook"));
  const auto& distance = Feature(report, "distance");
  CHECK(distance.quantiles.front() == 0);
  CHECK(distance.quantiles.back() == 59.5);
}

TEST_CASE("Features that know the label are found", "[dataset]") {
  const testing::TempDir dir;
  testing::WriteTinyTables(dir.path(), 120);
  const auto report = Validate(dir.path(), testing::TinySpec());
  // In the tiny dataset it rains exactly when there is a click.
  CHECK(report.has_leak());
  CHECK(Finds(report, true, "keyword sky", "AUC of 1.000"));
  CHECK_FALSE(Finds(report, true, "feature hour", ""));
}

TEST_CASE("Texts that hardly any row has are found", "[dataset]") {
  const testing::TempDir dir;
  testing::WriteTinyTables(dir.path(), 120);
  auto spec = testing::TinySpec();
  spec.mutable_keywords(6)->mutable_domains(0)->clear_values();
  spec.mutable_keywords(6)->mutable_domains(0)->add_values("snow");
  const auto report = Validate(dir.path(), spec);
  CHECK(Finds(report, false, "keyword sky", "only 0.00% of impressions"));
}

TEST_CASE("Users on both sides of a split without dates are found",
          "[dataset]") {
  const testing::TempDir dir;
  testing::WriteTinyTables(dir.path(), 120);
  auto spec = testing::TinySpec();
  auto* hash = spec.mutable_split()->mutable_hash();
  hash->set_column("request");
  hash->set_validation_fraction(0.2);
  hash->set_test_fraction(0.2);
  CHECK(Finds(Validate(dir.path(), spec), true, "split", "4 of 4 users"));
}

}  // namespace
}  // namespace larr
