// SPDX-License-Identifier: Apache-2.0
//
// How sure a comparison of two arms is. A metric varies with the seed that an
// arm was trained with, and with the groups (users) that happen to be in the
// test; an interval has to tell of both.
//
// Threads:  pure functions; the same input gives the same output.
#pragma once

#include <map>
#include <vector>

namespace larr::experiment {

// A metric of one arm with one seed.
struct Sample {
  double value = 0;
  // The metric on bootstrap draws of the test's groups; draw i is of the same
  // groups in every sample of these rows, NaN where these say nothing. May be
  // empty.
  std::vector<double> draws;
};
using Samples = std::map<int, Sample>;  // by seed

struct Summary {
  double mean = 0;       // NaN without samples
  double deviation = 0;  // of single seeds; NaN with fewer than two
  int seeds = 0;
};
Summary Summarize(const Samples& samples);

struct Difference {
  double value = 0;          // mean over the seeds that both have, or NaN
  double low = 0, high = 0;  // 95 %, or NaN
  int seeds = 0;             // that both have
};

// first - second. The interval is of a two-level bootstrap: each of 4,000 times
// one draw of groups is chosen, the same for both arms, and as many seeds as
// there are, with replacement, both arms with the same seed; the middle 95 % of
// the mean differences remain. What n seeds deviate by is stretched twice: by
// sqrt(n / (n - 1)), for n drawn from n vary too little, and by Student's t
// over the normal quantile, for of so few the deviation is hardly known. So
// 95 % of such intervals hold the truth with 3 seeds, too. With one seed the
// interval tells of groups alone, without draws of seeds alone.
//
// `overlap`: where each seed divides one dataset anew, the test's rows over
// those of training, else 0. Such seeds share most of their training rows, so
// their mean varies by 1/n + overlap of the variance, not 1/n (Nadeau and
// Bengio, Inference for the Generalization Error, 2003). They test other groups
// each, so that variance is of groups, too: draws are left out.
Difference Compare(const Samples& first, const Samples& second,
                   double overlap = 0);

// Fewer decide nothing: of two, an interval of 95 % would hold but 93 %.
inline constexpr int kFewestSeeds = 3;

enum class Verdict {
  kHeld,       // the whole interval agrees with the claim
  kNotHeld,    // the whole interval disagrees
  kUndecided,  // neither, or no interval, or too few seeds
};

// `first` is above `second` by more than `by`.
Verdict JudgeAbove(const Difference& difference, double by = 0);

// Arms count as equal within so much.
inline constexpr double kEqualWithin = 0.002;
Verdict JudgeEqual(const Difference& difference);

}  // namespace larr::experiment
