// SPDX-License-Identifier: Apache-2.0
//
// The bootstrap over groups: what a metric would have been, had other groups
// come. Free of LibTorch.
//
// A draw takes each group, with all its rows, so many times: a Poisson number
// of mean 1, which follows from the seed, the draw's number and the group's key
// alone. So it is the same for every model, for any part of the rows, for a
// sample of the groups, and on another day: replicates of two models are
// compared draw by draw.
//
// Threads: const access and functions are safe.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/ctr/auc.h"

namespace larr {

class GroupDraws {
 public:
  GroupDraws() = default;  // None.
  // `keys` by group: equal ones are drawn alike. REQUIRES: draws >= 0
  GroupDraws(std::span<const uint64_t> keys, int draws, uint64_t seed);

  int size() const { return draws_; }
  // How often a draw takes each group.
  std::span<const uint8_t> of(int draw) const {
    return std::span(times_).subspan(draw * groups_, groups_);
  }

 private:
  int draws_ = 0;
  size_t groups_ = 0;
  std::vector<uint8_t> times_;  // [draws, groups]
};

// A metric in each draw; NaN where it does not exist. The rows are sorted once,
// then a draw costs a pass over them (AUC) or over the groups (GAUC).
// REQUIRES: groups that the draws have.
std::vector<double> AucReplicates(const ScoredRows& rows,
                                  const GroupDraws& draws);
std::vector<double> GaucReplicates(std::span<const OneGroup> groups,
                                   const GroupDraws& draws);

// 2.5 % and 97.5 % quantiles of the replicates that exist; NaN if none does.
struct Interval {
  double low = 0;
  double high = 0;
};
Interval IntervalOf(std::span<const double> replicates);

}  // namespace larr
