// SPDX-License-Identifier: Apache-2.0
#include "tools/experiment/statistics.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <random>

namespace larr::experiment {
namespace {

// Five seeds around `mean`, whose groups move all arms alike by `shared`.
Samples MakeSamples(double mean, double seed_noise, double shared, int noise) {
  std::mt19937_64 random(static_cast<uint64_t>(noise));
  std::normal_distribution<double> normal;
  std::mt19937_64 groups(99);
  std::vector<double> draws(200);
  for (double& draw : draws) draw = shared * normal(groups);
  Samples samples;
  for (int seed = 1; seed <= 5; ++seed) {
    Sample& sample = samples[seed];
    sample.value = mean + seed_noise * normal(random);
    for (const double draw : draws) sample.draws.push_back(sample.value + draw);
  }
  return samples;
}

TEST_CASE("A summary has the mean and deviation of seeds", "[experiment]") {
  const Summary s = Summarize({{1, {0.5, {}}}, {2, {0.7, {}}}});
  CHECK(s.mean == Approx(0.6));
  CHECK(s.deviation == Approx(std::sqrt(0.02)));
  CHECK(s.seeds == 2);
  CHECK(std::isnan(Summarize({}).mean));
  CHECK(std::isnan(Summarize({{1, {0.5, {}}}}).deviation));
}

TEST_CASE("What the test's groups do to both arms alike widens no interval",
          "[experiment]") {
  const Samples a = MakeSamples(0.72, 0.001, 0.02, 1);
  const Samples b = MakeSamples(0.71, 0.001, 0.02, 2);
  const Difference paired = Compare(a, b);
  CHECK(paired.seeds == 5);
  CHECK(paired.value == Approx(Summarize(a).mean - Summarize(b).mean));
  CHECK(paired.low > 0.007);
  CHECK(paired.high < 0.013);
  CHECK(paired.low < paired.value);
  CHECK(paired.value < paired.high);
  CHECK(JudgeAbove(paired) == Verdict::kHeld);
  CHECK(JudgeAbove(paired, 0.03) == Verdict::kNotHeld);
  CHECK(JudgeAbove(paired, 0.01) == Verdict::kUndecided);
  CHECK(JudgeAbove(Compare(b, a)) == Verdict::kNotHeld);
  CHECK(JudgeEqual(paired) == Verdict::kNotHeld);
  CHECK(JudgeEqual(Compare(a, a)) == Verdict::kHeld);
  const Difference vague = {.value = 0.001, .low = -0.01, .high = 0.012};
  CHECK(JudgeAbove(vague) == Verdict::kUndecided);
  CHECK(JudgeEqual(vague) == Verdict::kUndecided);
}

TEST_CASE("Seeds that disagree widen the interval as much as they must",
          "[experiment]") {
  Samples a, b;
  for (int seed = 1; seed <= 5; ++seed) {
    a[seed] = {0.7 + 0.01 * (seed - 3), {}};
    b[seed] = {0.7, {}};
  }
  const Difference d = Compare(a, b);
  CHECK(d.value == Approx(0).margin(1e-12));
  // Deviation 0.0158 of one seed, 0.0071 of the mean of five, 2.776 of that.
  CHECK(d.high == Approx(0.0196).margin(0.002));
  CHECK(d.low == Approx(-0.0196).margin(0.002));
}

TEST_CASE("Seeds that divide one dataset anew say less", "[experiment]") {
  Samples a, b;
  for (int seed = 1; seed <= 10; ++seed) {
    a[seed] = {0.7 + 0.01 * (seed - 5.5), {}};
    b[seed] = {0.7, {}};
  }
  const Difference apart = Compare(a, b), divided = Compare(a, b, 0.3);
  CHECK(divided.value == apart.value);
  // sqrt(1 + 10 * 0.3)
  CHECK(divided.high == Approx(2 * apart.high));
  CHECK(divided.low == Approx(2 * apart.low));
}

TEST_CASE("Draws of divisions' own groups are not counted twice",
          "[experiment]") {
  Samples plain, drawn, b;
  for (int seed = 1; seed <= 10; ++seed) {
    const double value = 0.7 + 0.01 * (seed - 5.5);
    plain[seed] = {value, {}};
    drawn[seed] = {value, {value - 0.2, value, value + 0.2}};
    b[seed] = {0.7, {0.7, 0.7, 0.7}};
  }
  CHECK(Compare(drawn, b, 0.3).high == Compare(plain, b, 0.3).high);
  CHECK(Compare(drawn, b).high > 2 * Compare(plain, b).high);
}

TEST_CASE("Two seeds decide nothing", "[experiment]") {
  const Samples a = {{1, {0.8, {}}}, {2, {0.8, {}}}},
                b = {{1, {0.7, {}}}, {2, {0.7, {}}}};
  CHECK(Compare(a, b).low == Approx(0.1));
  CHECK(JudgeAbove(Compare(a, b)) == Verdict::kUndecided);
  CHECK(JudgeEqual(Compare(a, a)) == Verdict::kUndecided);
}

TEST_CASE("An interval of few seeds holds the truth as often as it says",
          "[experiment]") {
  std::mt19937_64 random(5);
  std::normal_distribution<double> normal;
  for (const int seeds : {3, 5, 10}) {
    constexpr int kTrials = 400;
    int held = 0;
    for (int trial = 0; trial < kTrials; ++trial) {
      Samples a, b;
      for (int seed = 1; seed <= seeds; ++seed) {
        a[seed] = {normal(random), {}};
        b[seed] = {0, {}};
      }
      const Difference d = Compare(a, b);
      held += d.low <= 0 && 0 <= d.high;
    }
    INFO(seeds);
    CHECK(held > 0.92 * kTrials);
    CHECK(held < 0.99 * kTrials);
  }
}

TEST_CASE("A draw that says nothing of the rows takes itself away, not others",
          "[experiment]") {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  const Difference d = Compare({{1, {0.7, {0.69, kNaN, 0.71, 0.9}}}},
                               {{1, {0.6, {0.6, 0.6, 0.6, kNaN}}}});
  CHECK(d.low == Approx(0.09));
  CHECK(d.high == Approx(0.11));
}

TEST_CASE("Without seeds or draws to vary there is no interval",
          "[experiment]") {
  const Difference lone = Compare({{1, {0.7, {}}}}, {{1, {0.6, {}}}});
  CHECK(lone.value == Approx(0.1));
  CHECK(std::isnan(lone.low));
  CHECK(JudgeAbove(lone) == Verdict::kUndecided);
  // One seed, with draws: of the groups alone.
  const Difference groups =
      Compare({{1, {0.7, {0.69, 0.71}}}}, {{1, {0.6, {0.6, 0.6}}}});
  CHECK(groups.low == Approx(0.09));
  CHECK(groups.high == Approx(0.11));
  CHECK(JudgeAbove(groups) == Verdict::kUndecided);
  CHECK(JudgeEqual(groups) == Verdict::kUndecided);
  // No seed in common.
  const Difference none = Compare({{1, {0.7, {}}}}, {{2, {0.6, {}}}});
  CHECK(none.seeds == 0);
  CHECK(std::isnan(none.value));
  CHECK(JudgeEqual(none) == Verdict::kUndecided);
}

}  // namespace
}  // namespace larr::experiment
