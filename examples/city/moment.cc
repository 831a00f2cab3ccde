// SPDX-License-Identifier: Apache-2.0
#include "examples/city/moment.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace larr::city {
namespace {

// Requests by hour.
constexpr std::array<double, 24> kHours = {
    1.2, 0.6, 0.3, 0.2, 0.2, 0.6, 2,  4, 5, 3, 5, 10,
    10,  6,   4,   5,   4,   7,   10, 8, 5, 5, 4, 2.5};

// Warmer or colder than at noon, by meal.
constexpr std::array<double, kMealCount> kTimeOfDay = {-5, 0, 1, -2, -5};

// How often a user at home in the city is in each situation, by meal; the
// second table is for weekends. Trips are not here: they last whole days.
using SituationWeights = std::array<double, kSituationCount>;
constexpr std::array<SituationWeights, kMealCount> kWeekdaySituations = {{
    {50, 25, 0, 0, 0, 0, 5, 6, 12, 0},
    {20, 55, 0, 0, 0, 2, 5, 3, 12, 2},
    {20, 45, 0, 0, 0, 5, 5, 8, 15, 4},
    {45, 10, 0, 0, 12, 8, 5, 8, 6, 8},
    {40, 0, 0, 0, 25, 15, 5, 3, 10, 4},
}};
constexpr std::array<SituationWeights, kMealCount> kWeekendSituations = {{
    {70, 2, 0, 0, 0, 0, 5, 12, 8, 0},
    {50, 5, 0, 0, 0, 15, 5, 8, 8, 12},
    {40, 4, 0, 0, 0, 15, 5, 12, 10, 14},
    {45, 2, 0, 0, 2, 22, 5, 6, 4, 16},
    {45, 0, 0, 0, 6, 30, 5, 2, 6, 8},
}};

constexpr double kTripShare = 0.16;  // User-days away from home.
constexpr double kVacationOnWeekday =
    0.45;  // Of trips; the others are business.
constexpr double kVacationOnWeekend = 0.85;

// A city's deviation from its usual temperature, correlated over days.
double DayTemperature(uint64_t seed, int city, int day) {
  const auto noise = [&](int d) {
    return Random({seed, Random::kWeather, static_cast<uint64_t>(city),
                   static_cast<uint64_t>(d)})
        .Normal();
  };
  return 7 * (0.8 * noise(day + 1) + 0.6 * noise(day));
}

Rain RainAt(uint64_t seed, int city, int day, Meal meal) {
  Random random({seed, Random::kWeather, static_cast<uint64_t>(city),
                 static_cast<uint64_t>(day), static_cast<uint64_t>(meal)});
  const Random day_stream({seed, Random::kWeather, static_cast<uint64_t>(city),
                           static_cast<uint64_t>(day), kMealCount});
  if (!Random(day_stream).Chance(0.45) || !random.Chance(0.6)) return kNoRain;
  return random.Chance(0.65) ? kLightRain : kHeavyRain;
}

}  // namespace

std::string_view RainName(Rain rain) {
  constexpr std::array<std::string_view, kRainCount> kNames = {
      "no rain", "light rain", "heavy rain"};
  return kNames[rain];
}

std::string_view SituationName(Situation situation) {
  constexpr std::array<std::string_view, kSituationCount> kNames = {
      "at home",
      "at the office",
      "on a business trip",
      "travelling on vacation",
      "working late",
      "having a party",
      "feeling ill",
      "after sports",
      "studying",
      "on a date"};
  return kNames[situation];
}

std::string_view TemperatureBand(double temperature) {
  constexpr std::array<double, 6> kEdges = {0, 8, 15, 22, 28, 33};
  constexpr std::array<std::string_view, 7> kNames = {
      "freezing", "cold", "cool", "mild", "warm", "hot", "scorching"};
  return kNames[std::upper_bound(kEdges.begin(), kEdges.end(), temperature) -
                kEdges.begin()];
}

int HourOfShare(double u) {
  double total = 0;
  for (const double weight : kHours) total += weight;
  double rest = u * total;
  for (int hour = 0; hour < 23; ++hour) {
    if (rest < kHours[hour]) return hour;
    rest -= kHours[hour];
  }
  return 23;
}

Meal MealOfHour(int hour) {
  if (hour < 5 || hour >= 21) return kNight;
  if (hour < 10) return kBreakfast;
  if (hour < 14) return kLunch;
  return hour < 17 ? kTea : kDinner;
}

Moment MakeMoment(uint64_t seed, const World& world, const Calendar& calendar,
                  int day, int hour, int user_index, const User& user,
                  Random& random) {
  Moment moment{.city = user.city,
                .district = user.district,
                .position = user.home,
                .hour = hour,
                .meal = MealOfHour(hour)};
  const bool weekend = calendar.days[day].weekend;
  Random trip({seed, Random::kTrip, static_cast<uint64_t>(user_index),
               static_cast<uint64_t>(day)});
  if (trip.Chance(kTripShare)) {
    const int cities = static_cast<int>(world.cities.size());
    moment.city = (user.city + 1 + trip.Below(cities - 1)) % cities;
    moment.district = trip.Below(
        static_cast<int>(world.cities[moment.city].districts.size()));
    moment.position = PositionIn(moment.district, trip);
    const double vacation = weekend ? kVacationOnWeekend : kVacationOnWeekday;
    moment.situation = trip.Chance(vacation) ? kVacation : kBusinessTrip;
  } else {
    const auto& tables = weekend ? kWeekendSituations : kWeekdaySituations;
    moment.situation =
        static_cast<Situation>(random.Weighted(tables[moment.meal]));
  }
  moment.rain = RainAt(seed, moment.city, day, moment.meal);
  const double temperature = world.cities[moment.city].temperature +
                             DayTemperature(seed, moment.city, day) +
                             kTimeOfDay[moment.meal] -
                             (moment.rain == kNoRain ? 0 : 3);
  moment.temperature = std::round(10 * temperature) / 10;
  return moment;
}

}  // namespace larr::city
