// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/auc.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "tests/common/ctr/random_rows.h"

namespace larr {
namespace {

using testing::BruteAuc;
using testing::RandomRows;

TEST_CASE("AUC equals the count over all pairs, ties included") {
  const int values = GENERATE(1, 2, 5, 1000);
  const RandomRows rows(300, values, 1, 4);
  REQUIRE(Auc(rows.scores, rows.labels) == Approx(BruteAuc(rows)));
}

TEST_CASE("GAUC weights groups by rows and drops those of one class") {
  const RandomRows rows(300, 7, 60, 5);
  int64_t kept = 0, kept_rows = 0;
  for (int group = 0; group < 60; ++group) {
    if (std::isnan(BruteAuc(rows, group))) continue;
    kept_rows += std::count(rows.groups.begin(), rows.groups.end(), group);
    ++kept;
  }
  const GroupAuc gauc = Gauc(rows);
  REQUIRE(gauc.value == Approx(testing::BruteGauc(rows, 60)));
  REQUIRE(gauc.groups_kept == kept);
  REQUIRE(gauc.rows_kept == kept_rows);
  REQUIRE(gauc.groups > kept);
}

TEST_CASE("each group has an AUC of its own") {
  RandomRows rows;
  rows.Add(0.9, 1, 2);
  rows.Add(0.1, 0, 2);
  rows.Add(0.5, 1, 0);
  const auto groups = GroupAucs(rows);
  REQUIRE(groups.size() == 3);
  REQUIRE(groups[2].auc == 1);
  REQUIRE(groups[2].rows == 2);
  REQUIRE(std::isnan(groups[0].auc));
  REQUIRE(groups[1].rows == 0);
}

TEST_CASE("an AUC of one class is NaN") {
  const std::vector<double> scores = {0.1, 0.2};
  const std::vector<uint8_t> ones = {1, 1}, zeros = {0, 0};
  const std::vector<int32_t> groups = {0, 1};
  REQUIRE(std::isnan(Auc(scores, ones)));
  REQUIRE(std::isnan(Auc({}, {})));
  REQUIRE(std::isnan(Gauc(ScoredRows{scores, zeros, groups}).value));
  REQUIRE(std::isnan(Gauc(ScoredRows{}).value));
}

}  // namespace
}  // namespace larr
