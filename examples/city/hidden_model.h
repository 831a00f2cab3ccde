// SPDX-License-Identifier: Apache-2.0
//
// Why people click and order: the truth of the city. It was fixed before any
// recommender was trained on it and is not to be changed to make one win; see
// README.md for the rule and the reasons.
//
//   click  = logistic(-1.75 + taste + weather + meal + spicy + sweet + local
//                     + situation + price + distance + 0.45 Q - 0.06 position)
//   order  = logistic(-1.12 + 0.5 (taste + weather + meal)
//                     + 0.4 (spicy + sweet + local + situation) + price
//                     + 0.5 Q2 - 0.2 (km - 1.5))              given a click
//   taste     = 0.65 sum over cuisines of share of the menu x the user's taste
//   weather   = -0.9 w T + 0.3 rain T,  w = clip((temperature - 16) / 12,
//   +-1.5),
//               rain = 0, 0.5 or 1, T = mean temperature of the dishes
//   meal      = 1.6 (M - 0.4), M = share of the dishes for this meal
//   spicy     = 0.8 us (S - 0.25),  sweet = 0.8 uw (W - 0.25)
//   local     = share of the city's own cuisine x (1 + 0.4 ul)
//               x 1.2 on vacation, 0.7 on a business trip, else 0
//   situation = a linear function of (T, S, W, P) for each situation
//   price     = -0.5 |P - up|,  distance = -0.3 (km - 1.5)
// u*: what the user likes; Q, Q2: quality of the POI, N(0, 1), in no column;
// P: price level of the menu.
//
// Threads:    safe; all functions are pure.
#pragma once

#include "examples/city/entities.h"
#include "examples/city/moment.h"
#include "examples/city/random.h"
#include "examples/city/statistics.h"
#include "examples/city/world.h"

namespace larr::city {

// The parts of the click logit that depend on who, what and when.
struct Effects {
  double taste = 0;
  double weather = 0;
  double meal = 0;
  double spicy = 0;
  double sweet = 0;
  double local = 0;
  double situation = 0;
  double price = 0;
};

Effects ComputeEffects(const World& world, const User& user, const Poi& poi,
                       const Moment& moment);

// Probabilities as whole numbers of 1 / kProbabilityScale: what is stored is
// exactly what labels were drawn with.
constexpr int kProbabilityScale = 100000;
struct TrueProbabilities {
  int click = 0;
  int order = 0;  // Of click and order together; at most `click`.
};

// `distance` in km; `position` counts from 0 at the top of the list.
TrueProbabilities ComputeProbabilities(const Effects& effects, const Poi& poi,
                                       double distance, int position);

// What comes of showing `poi`, the one with the index `poi_index`, to a user.
Event DrawEvent(int user_index, int poi_index, const Poi& poi,
                const TrueProbabilities& truth, Random& random);

}  // namespace larr::city
