// SPDX-License-Identifier: Apache-2.0
#include "common/dataset/leak_check.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <random>

#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_dataset.h"

namespace larr {
namespace {

TEST_CASE("HeldOutAuc measures what a category says", "[dataset]") {
  std::mt19937_64 random(1);
  std::vector<uint32_t> label_itself, nothing, unique;
  std::vector<uint8_t> labels;
  for (uint32_t i = 0; i < 4000; ++i) {
    labels.push_back(random() % 3 == 0);
    label_itself.push_back(labels.back());
    nothing.push_back(random() % 5);
    unique.push_back(i);
  }
  CHECK(HeldOutAuc(label_itself, labels) == 1.0);
  CHECK(HeldOutAuc(nothing, labels) == Approx(0.5).margin(0.03));
  CHECK(HeldOutAuc(unique, labels) == 0.5);  // Never seen: all the same.
  labels.assign(labels.size(), 1);
  CHECK(std::isnan(HeldOutAuc(nothing, labels)));
}

// Items whose `sold` counts orders up to the start of the day, or, if
// `late`, up to its end.
std::vector<Finding> Check(bool late) {
  const testing::TempDir dir;
  testing::WriteTinyTables(dir.path());
  std::mt19937_64 random(2);
  constexpr int kPois = 40;
  std::vector<int64_t> sold(kPois, 100);
  const auto write_pois = [&](const std::string& day) {
    testing::Cells rows;
    for (int p = 0; p < kPois; ++p) {
      rows.push_back({"p" + std::to_string(p), std::string("Shop"),
                      std::string("city"), std::string("Intro"), sold[p]});
    }
    testing::WriteParquet(testing::TinyFile(dir.path(), "pois", day),
                          {{"id", ColumnType::kString},
                           {"name", ColumnType::kString},
                           {"city", ColumnType::kString},
                           {"intro", ColumnType::kString},
                           {"sold", ColumnType::kInteger}},
                          rows);
  };
  for (const std::string& day : testing::TinyDays()) {
    if (!late) write_pois(day);
    testing::Cells rows;
    for (int i = 0; i < 1000; ++i) {
      const int p = static_cast<int>(random() % kPois);
      // Popular items stay popular: that alone must not raise an alarm.
      const bool order = random() % 100 < static_cast<uint64_t>(p);
      sold[p] += order;
      rows.push_back({std::string("r"), int64_t{1}, "p" + std::to_string(p),
                      int64_t{9}, std::string("dry"), 1.0, int64_t{order},
                      int64_t{order}});
    }
    testing::WriteParquet(testing::TinyFile(dir.path(), "impressions", day),
                          testing::TinyImpressionColumns(), rows);
    if (late) write_pois(day);
  }
  auto spec = testing::TinySpec();
  spec.mutable_tabular_features(1)->set_side(config::v1::POI);
  spec.mutable_tabular_features(1)->mutable_dense()->set_column("sold");
  const auto dataset = OpenDataset(spec, dir.path());
  INFO(dataset.status().ToString());
  REQUIRE(dataset.ok());
  TimeTravelCheck check(*dataset, Table::kPois);
  for (const Part part : {Part::kHistory, Part::kPairs, Part::kTrain,
                          Part::kValidation, Part::kTest}) {
    auto stream = ImpressionStream::Open(*dataset, {.part = part});
    REQUIRE(stream.ok());
    Impression row;
    while (*stream->Next(row)) check.Add(row);
  }
  return check.Finish();
}

TEST_CASE("A partition that was written after its day is found", "[dataset]") {
  const auto findings = Check(/*late=*/true);
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].leak);
  CHECK(findings[0].where == "pois.sold");
  CHECK(Check(/*late=*/false).empty());
}

}  // namespace
}  // namespace larr
