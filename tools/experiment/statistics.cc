// SPDX-License-Identifier: Apache-2.0
#include "tools/experiment/statistics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <random>

namespace larr::experiment {
namespace {

constexpr int kRepeats = 4000;
constexpr double kNormalQuantile = 1.96;  // 97.5 %
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Two samples of one seed.
struct Pair {
  const Sample* first;
  const Sample* second;
};

// The draws that have a value in all samples.
std::vector<size_t> Draws(const std::vector<Pair>& pairs) {
  const auto known = [](const Sample& sample, size_t draw) {
    return draw < sample.draws.size() && std::isfinite(sample.draws[draw]);
  };
  std::vector<size_t> draws;
  for (size_t draw = 0; draw < pairs.front().first->draws.size(); ++draw) {
    if (std::all_of(pairs.begin(), pairs.end(), [&](const Pair& pair) {
          return known(*pair.first, draw) && known(*pair.second, draw);
        }))
      draws.push_back(draw);
  }
  return draws;
}

// The 97.5 % quantile of Student's t, to 0.003.
double StudentQuantile(size_t degrees) {
  constexpr double kFirst[] = {12.706, 4.303, 3.182, 2.776, 2.571,
                               2.447,  2.365, 2.306, 2.262};
  if (degrees <= std::size(kFirst)) return kFirst[degrees - 1];
  // Fisher's expansion about the normal one.
  const double z = kNormalQuantile, n = static_cast<double>(degrees);
  const double z3 = z * z * z;
  return z + (z3 + z) / (4 * n) +
         (5 * z3 * z * z + 16 * z3 + 3 * z) / (96 * n * n);
}

// What the deviations of `seeds` drawn anew are to be multiplied by.
double Stretch(size_t seeds, double overlap) {
  if (seeds < 2) return 0;
  const auto n = static_cast<double>(seeds);
  return std::sqrt(n / (n - 1) * (1 + n * overlap)) *
         StudentQuantile(seeds - 1) / kNormalQuantile;
}

// Sorted mean differences of all repeats.
std::vector<double> Repeats(const std::vector<Pair>& pairs,
                            const std::vector<size_t>& draws, double overlap) {
  const size_t n = pairs.size();
  const double stretch = Stretch(n, overlap);
  std::mt19937_64 random(1);
  std::vector<double> means, differences(n);
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    const size_t draw = draws.empty() ? 0 : draws[random() % draws.size()];
    const auto at = [&](const Sample& sample) {
      return draws.empty() ? sample.value : sample.draws[draw];
    };
    double centre = 0, chosen = 0;
    for (size_t i = 0; i < n; ++i) {
      differences[i] = at(*pairs[i].first) - at(*pairs[i].second);
      centre += differences[i] / static_cast<double>(n);
    }
    for (size_t i = 0; i < n; ++i)
      chosen += differences[random() % n] / static_cast<double>(n);
    means.push_back(centre + stretch * (chosen - centre));
  }
  std::sort(means.begin(), means.end());
  return means;
}

}  // namespace

Summary Summarize(const Samples& samples) {
  Summary summary{kNaN, kNaN, static_cast<int>(samples.size())};
  if (samples.empty()) return summary;
  const auto n = static_cast<double>(samples.size());
  double sum = 0, squares = 0;
  for (const auto& [seed, sample] : samples) sum += sample.value;
  summary.mean = sum / n;
  for (const auto& [seed, sample] : samples)
    squares += (sample.value - summary.mean) * (sample.value - summary.mean);
  if (samples.size() > 1) summary.deviation = std::sqrt(squares / (n - 1));
  return summary;
}

Difference Compare(const Samples& first, const Samples& second,
                   double overlap) {
  std::vector<Pair> pairs;
  double sum = 0;
  for (const auto& [seed, sample] : first) {
    const auto other = second.find(seed);
    if (other == second.end()) continue;
    pairs.push_back({&sample, &other->second});
    sum += sample.value - other->second.value;
  }
  Difference difference{kNaN, kNaN, kNaN, static_cast<int>(pairs.size())};
  if (pairs.empty()) return difference;
  difference.value = sum / static_cast<double>(pairs.size());
  // Divisions that test other groups tell of groups by how they differ.
  const auto draws = overlap > 0 ? std::vector<size_t>() : Draws(pairs);
  if (draws.empty() && pairs.size() < 2) return difference;
  const auto means = Repeats(pairs, draws, overlap);
  const auto rank = [&](double share) {
    return means[static_cast<size_t>(share * (kRepeats - 1))];
  };
  difference.low = rank(0.025);
  difference.high = rank(0.975);
  return difference;
}

Verdict JudgeAbove(const Difference& difference, double by) {
  if (difference.seeds < kFewestSeeds) return Verdict::kUndecided;
  if (difference.low > by) return Verdict::kHeld;
  if (difference.high < by) return Verdict::kNotHeld;
  return Verdict::kUndecided;
}

Verdict JudgeEqual(const Difference& difference) {
  if (difference.seeds < kFewestSeeds) return Verdict::kUndecided;
  if (difference.low > -kEqualWithin && difference.high < kEqualWithin)
    return Verdict::kHeld;
  if (difference.low > kEqualWithin || difference.high < -kEqualWithin)
    return Verdict::kNotHeld;
  return Verdict::kUndecided;
}

}  // namespace larr::experiment
