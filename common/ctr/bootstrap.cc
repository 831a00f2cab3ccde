// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/bootstrap.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "common/base/random_bits.h"

namespace larr {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Of mean 1, from uniform bits. Not std::poisson_distribution: its draws differ
// between libraries.
uint8_t Poisson(uint64_t bits) {
  const double uniform = UnitFraction(bits);
  double probability = 0.36787944117144233;  // e^-1
  double below = probability;
  uint8_t times = 0;
  while (uniform >= below && times < 20) {
    probability /= ++times;
    below += probability;
  }
  return times;
}

// A row in the order of scores.
struct SortedRow {
  int32_t group;
  bool positive;
  bool ends_tie;  // The next row has a higher score.
};

std::vector<SortedRow> SortRows(const ScoredRows& rows) {
  const auto order = OrderByScore(rows.scores);
  std::vector<SortedRow> sorted;
  sorted.reserve(order.size());
  for (size_t i = 0; i < order.size(); ++i) {
    const int64_t row = order[i];
    const bool ends_tie =
        i + 1 == order.size() || rows.scores[order[i + 1]] != rows.scores[row];
    sorted.push_back({rows.groups[row], rows.labels[row] != 0, ends_tie});
  }
  return sorted;
}

// Several draws at once, so that a pass over the rows is one of vectors.
constexpr int kLanes = 8;
using Lanes = std::array<double, kLanes>;

// AUC of each lane, whose groups count `times[group]`. Sums are whole numbers
// and halves below 2^53, so they are exact in any order.
Lanes AucOfLanes(std::span<const SortedRow> rows,
                 const std::vector<Lanes>& times) {
  Lanes positives = {}, negatives = {}, won = {};
  Lanes tied_positives = {}, tied_negatives = {};
  for (const SortedRow& row : rows) {
    const Lanes& weight = times[row.group];
    Lanes& tied = row.positive ? tied_positives : tied_negatives;
    for (int l = 0; l < kLanes; ++l) tied[l] += weight[l];
    if (!row.ends_tie) continue;
    for (int l = 0; l < kLanes; ++l) {
      won[l] += tied_positives[l] * (negatives[l] + tied_negatives[l] / 2);
      positives[l] += tied_positives[l];
      negatives[l] += tied_negatives[l];
      tied_positives[l] = tied_negatives[l] = 0;
    }
  }
  for (int l = 0; l < kLanes; ++l) {
    const double pairs = positives[l] * negatives[l];
    won[l] = pairs > 0 ? won[l] / pairs : kNaN;
  }
  return won;
}

}  // namespace

GroupDraws::GroupDraws(std::span<const uint64_t> keys, int draws, uint64_t seed)
    : draws_(draws), groups_(keys.size()) {
  times_.reserve(draws * groups_);
  for (int draw = 0; draw < draws; ++draw) {
    const uint64_t stream =
        MixBits(MixBits(seed) + static_cast<uint64_t>(draw));
    for (const uint64_t key : keys)
      times_.push_back(Poisson(MixBits(stream ^ key)));
  }
}

std::vector<double> AucReplicates(const ScoredRows& rows,
                                  const GroupDraws& draws) {
  const auto sorted = SortRows(rows);
  std::vector<double> replicates;
  for (int first = 0; first < draws.size(); first += kLanes) {
    const int lanes = std::min(kLanes, draws.size() - first);
    std::vector<Lanes> times(draws.of(first).size(), Lanes{});
    for (int l = 0; l < lanes; ++l)
      for (size_t g = 0; g < times.size(); ++g)
        times[g][l] = draws.of(first + l)[g];
    const Lanes aucs = AucOfLanes(sorted, times);
    replicates.insert(replicates.end(), aucs.begin(), aucs.begin() + lanes);
  }
  return replicates;
}

std::vector<double> GaucReplicates(std::span<const OneGroup> groups,
                                   const GroupDraws& draws) {
  std::vector<double> replicates;
  for (int draw = 0; draw < draws.size(); ++draw) {
    const auto times = draws.of(draw);
    double sum = 0, mass = 0;
    for (size_t g = 0; g < groups.size(); ++g) {
      if (std::isnan(groups[g].auc)) continue;
      const double weight = static_cast<double>(groups[g].rows * times[g]);
      sum += weight * groups[g].auc;
      mass += weight;
    }
    replicates.push_back(mass > 0 ? sum / mass : kNaN);
  }
  return replicates;
}

Interval IntervalOf(std::span<const double> replicates) {
  std::vector<double> values;
  for (const double value : replicates)
    if (!std::isnan(value)) values.push_back(value);
  if (values.empty()) return {kNaN, kNaN};
  std::sort(values.begin(), values.end());
  const auto at = [&](double q) {
    const double place = q * static_cast<double>(values.size() - 1);
    const size_t low = static_cast<size_t>(place);
    const size_t high = std::min(low + 1, values.size() - 1);
    return std::lerp(values[low], values[high],
                     place - static_cast<double>(low));
  };
  return {at(0.025), at(0.975)};
}

}  // namespace larr
