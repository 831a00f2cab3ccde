// SPDX-License-Identifier: Apache-2.0
//
// What the hidden model says of a list before anybody sees it: expected clicks
// without the noise of clicks, and how good any ranking could be.
//
// Threads:    safe; all functions are pure.
#pragma once

#include <vector>

#include "examples/city/hidden_model.h"
#include "examples/city/platform.h"
#include "examples/city/visits.h"

namespace larr::market {

// What the hidden model needs to know of each POI of a visit, in their order.
struct Candidate {
  int poi = 0;          // Index of the platform's.
  double distance = 0;  // Kilometres.
  city::Effects effects;
};
std::vector<Candidate> CandidatesOf(const city::Platform& platform,
                                    const city::Visit& visit);

city::TrueProbabilities TruthAt(const city::Platform& platform,
                                const Candidate& candidate, int position);

// Expected clicks of a list of the best `kShown` in their best order, and of
// one in random order.
struct Bounds {
  double best = 0;
  double random = 0;
};
Bounds ClickBounds(const city::Platform& platform,
                   const std::vector<Candidate>& candidates);

}  // namespace larr::market
