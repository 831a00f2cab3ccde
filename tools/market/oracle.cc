// SPDX-License-Identifier: Apache-2.0
#include "tools/market/oracle.h"

#include <algorithm>

#include "tools/market/market.h"

namespace larr::market {
namespace {

double ClickAt(const city::Platform& platform, const Candidate& candidate,
               int position) {
  return static_cast<double>(TruthAt(platform, candidate, position).click) /
         city::kProbabilityScale;
}

}  // namespace

std::vector<Candidate> CandidatesOf(const city::Platform& platform,
                                    const city::Visit& visit) {
  std::vector<Candidate> candidates;
  const city::User& user = platform.users[visit.user];
  for (const int index : visit.pois) {
    const city::Poi& poi = platform.pois[index];
    candidates.push_back(
        {.poi = index,
         .distance = city::Distance(visit.moment.position, poi.position),
         .effects =
             city::ComputeEffects(platform.world, user, poi, visit.moment)});
  }
  return candidates;
}

city::TrueProbabilities TruthAt(const city::Platform& platform,
                                const Candidate& candidate, int position) {
  return city::ComputeProbabilities(candidate.effects,
                                    platform.pois[candidate.poi],
                                    candidate.distance, position);
}

// The position adds to the logit alike for all POIs, so the best order is that
// of the probabilities at any one position.
Bounds ClickBounds(const city::Platform& platform,
                   const std::vector<Candidate>& candidates) {
  std::vector<std::pair<double, const Candidate*>> order;
  order.reserve(candidates.size());
  for (const Candidate& candidate : candidates) {
    order.emplace_back(ClickAt(platform, candidate, 0), &candidate);
  }
  std::stable_sort(
      order.begin(), order.end(),
      [](const auto& a, const auto& b) { return a.first > b.first; });
  const int shown =
      static_cast<int>(std::min<size_t>(kShown, candidates.size()));
  Bounds bounds;
  for (int position = 0; position < shown; ++position) {
    bounds.best += ClickAt(platform, *order[position].second, position);
    double sum = 0;
    for (const Candidate& candidate : candidates) {
      sum += ClickAt(platform, candidate, position);
    }
    bounds.random += sum / static_cast<double>(candidates.size());
  }
  return bounds;
}

}  // namespace larr::market
