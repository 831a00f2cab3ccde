// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/bootstrap.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <cmath>
#include <random>

#include "tests/common/ctr/random_rows.h"

namespace larr {
namespace {

using testing::RandomRows;

std::vector<uint64_t> RandomKeys(int count, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<uint64_t> keys(count);
  for (uint64_t& key : keys) key = random();
  return keys;
}

bool Equal(double a, double b) {
  return a == Approx(b).margin(1e-12) || (std::isnan(a) && std::isnan(b));
}

// Every group copied as often as it was drawn, each copy a group of its own.
RandomRows Drawn(const RandomRows& rows, std::span<const uint8_t> times,
                 int& groups) {
  RandomRows drawn;
  groups = 0;
  for (size_t g = 0; g < times.size(); ++g) {
    for (int copy = 0; copy < times[g]; ++copy, ++groups)
      for (size_t i = 0; i < rows.scores.size(); ++i)
        if (rows.groups[i] == static_cast<int32_t>(g))
          drawn.Add(rows.scores[i], rows.labels[i], groups);
  }
  return drawn;
}

TEST_CASE("replicates are the metrics of the rows that were drawn") {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    std::mt19937_64 random(seed);
    const int group_count = 1 + static_cast<int>(random() % 30);
    const RandomRows rows(static_cast<int>(random() % 90),
                          1 + static_cast<int>(random() % 40), group_count,
                          seed);
    // No whole number of lanes.
    const GroupDraws draws(RandomKeys(group_count, seed), 11, seed);
    const auto aucs = AucReplicates(rows, draws);
    const auto gaucs = GaucReplicates(GroupAucs(rows), draws);
    REQUIRE(aucs.size() == 11);
    REQUIRE(gaucs.size() == 11);
    for (int draw = 0; draw < 11; ++draw) {
      int copies = 0;
      const RandomRows drawn = Drawn(rows, draws.of(draw), copies);
      CAPTURE(seed, draw, aucs[draw], gaucs[draw]);
      CHECK(Equal(aucs[draw], testing::BruteAuc(drawn)));
      CHECK(Equal(gaucs[draw], testing::BruteGauc(drawn, copies)));
    }
  }
}

TEST_CASE("a group is drawn alike whatever others there are") {
  const auto keys = RandomKeys(50, 1);
  const GroupDraws all(keys, 20, 9);
  const std::vector<uint64_t> few(keys.begin() + 10, keys.begin() + 15);
  const GroupDraws some(few, 20, 9);
  const GroupDraws longer(keys, 40, 9);
  for (int draw = 0; draw < 20; ++draw) {
    const auto part = all.of(draw).subspan(10, 5);
    CHECK(std::equal(part.begin(), part.end(), some.of(draw).begin()));
    CHECK(std::equal(all.of(draw).begin(), all.of(draw).end(),
                     longer.of(draw).begin()));
  }
}

TEST_CASE("draws are Poisson of mean 1, and differ by draw, group and seed") {
  const auto keys = RandomKeys(2000, 2);
  const GroupDraws draws(keys, 100, 3);
  std::vector<double> share(8);
  double product = 0;
  for (int draw = 0; draw < 100; ++draw) {
    for (size_t g = 0; g < keys.size(); ++g) {
      ++share[std::min<int>(draws.of(draw)[g], 7)];
      // Neighbours in draws and in groups do not go together.
      product += (draws.of(draw)[g] - 1.0) *
                 (draws.of((draw + 1) % 100)[(g + draw % 2) % 2000] - 1.0);
    }
  }
  double probability = std::exp(-1);
  for (int times = 0; times < 5; probability /= ++times)
    CHECK(share[times] / 200'000 == Approx(probability).margin(0.004));
  CHECK(product / 200'000 == Approx(0).margin(0.01));
  const GroupDraws other(keys, 1, 4);
  CHECK_FALSE(
      std::equal(other.of(0).begin(), other.of(0).end(), draws.of(0).begin()));
}

// 200 draws of a day's rows: what an evaluation asks for many times.
TEST_CASE("replicates of many rows take seconds at most") {
  const RandomRows rows(240'000, 100'000, 3000, 5);
  const auto start = std::chrono::steady_clock::now();
  const GroupDraws draws(RandomKeys(3000, 6), 200, 7);
  const auto aucs = AucReplicates(rows, draws);
  const auto gaucs = GaucReplicates(GroupAucs(rows), draws);
  const std::chrono::duration<double> took =
      std::chrono::steady_clock::now() - start;
  INFO("200 draws of 240,000 rows: " << took.count() << " s");
  CHECK(took.count() < 20);
  CHECK(IntervalOf(aucs).low < Auc(rows.scores, rows.labels));
  CHECK(IntervalOf(gaucs).high > Gauc(rows).value);
}

TEST_CASE("an interval is of the replicates that exist") {
  const double nan = std::nan("");
  std::vector<double> replicates = {nan};
  CHECK(std::isnan(IntervalOf(replicates).low));
  for (int i = 40; i >= 0; --i) replicates.push_back(i);
  CHECK(IntervalOf(replicates).low == Approx(1));
  CHECK(IntervalOf(replicates).high == Approx(39));
}

}  // namespace
}  // namespace larr
