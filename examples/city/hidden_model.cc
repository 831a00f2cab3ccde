// SPDX-License-Identifier: Apache-2.0
#include "examples/city/hidden_model.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace larr::city {
namespace {

constexpr double kClickIntercept = -1.75;
constexpr double kOrderIntercept = -1.12;

// Weights of (T, S, W, P - 1.4) in the click logit.
struct SituationEffect {
  double temperature = 0;
  double spicy = 0;
  double sweet = 0;
  double price = 0;
};

constexpr std::array<SituationEffect, kSituationCount> kSituationEffects = {{
    {},                                                // at home
    {.price = -0.2},                                   // at the office
    {.price = 0.2},                                    // on a business trip
    {},                                                // travelling on vacation
    {.temperature = 0.2, .spicy = 0.4, .sweet = 0.2},  // working late
    {.spicy = 0.5, .price = 0.4},                      // having a party
    {.temperature = 0.6, .spicy = -1.2, .sweet = -0.3},  // feeling ill
    {.temperature = -0.6, .spicy = -0.2, .sweet = 0.2},  // after sports
    {.sweet = 0.6, .price = -0.3},                       // studying
    {.spicy = -0.3, .sweet = 0.4, .price = 0.5},         // on a date
}};

int Rounded(double probability) {
  return static_cast<int>(std::lround(probability * kProbabilityScale));
}

}  // namespace

Effects ComputeEffects(const World& world, const User& user, const Poi& poi,
                       const Moment& moment) {
  Effects effects;
  for (size_t c = 0; c < poi.cuisine_shares.size(); ++c) {
    effects.taste += 0.65 * poi.cuisine_shares[c] * user.taste[c];
  }
  constexpr std::array<double, kRainCount> kRain = {0, 0.5, 1};
  const double warmth = std::clamp((moment.temperature - 16) / 12, -1.5, 1.5);
  effects.weather =
      (-0.9 * warmth + 0.3 * kRain[moment.rain]) * poi.temperature;
  effects.meal = 1.6 * (poi.meals[moment.meal] - 0.4);
  effects.spicy = 0.8 * user.spicy_liking * (poi.spicy - 0.25);
  effects.sweet = 0.8 * user.sweet_liking * (poi.sweet - 0.25);
  const double travel = moment.situation == kVacation       ? 1.2
                        : moment.situation == kBusinessTrip ? 0.7
                                                            : 0;
  effects.local = travel *
                  poi.cuisine_shares[world.cities[moment.city].cuisine] *
                  (1 + 0.4 * user.local_liking);
  const SituationEffect& situation = kSituationEffects[moment.situation];
  effects.situation =
      situation.temperature * poi.temperature + situation.spicy * poi.spicy +
      situation.sweet * poi.sweet + situation.price * (poi.price_level - 1.4);
  effects.price = -0.5 * std::abs(poi.price_level - user.price_level);
  return effects;
}

TrueProbabilities ComputeProbabilities(const Effects& e, const Poi& poi,
                                       double distance, int position) {
  const double first = e.taste + e.weather + e.meal;
  const double second = e.spicy + e.sweet + e.local + e.situation;
  const double click =
      Logistic(kClickIntercept + first + second + e.price -
               0.3 * (distance - 1.5) + 0.45 * poi.quality - 0.06 * position);
  const double order =
      Logistic(kOrderIntercept + 0.5 * first + 0.4 * second + e.price +
               0.5 * poi.order_quality - 0.2 * (distance - 1.5));
  return {Rounded(click), Rounded(click * order)};
}

Event DrawEvent(int user_index, int poi_index, const Poi& poi,
                const TrueProbabilities& truth, Random& random) {
  const int u = random.Below(kProbabilityScale);
  return {.user = user_index,
          .poi = poi_index,
          .click = u < truth.click,
          .order = u < truth.order,
          .item = random.Below(static_cast<int>(poi.menu.size()))};
}

}  // namespace larr::city
