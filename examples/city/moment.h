// SPDX-License-Identifier: Apache-2.0
//
// The moment of a request: who asks where, when, in which weather and
// situation. Weather and trips are functions of (seed, day, ...), so that any
// request can be made without the ones before it.
//
// Units:      degrees Celsius to 0.1; kilometres.
// Threads:    safe; all functions are pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "examples/city/calendar.h"
#include "examples/city/entities.h"
#include "examples/city/random.h"
#include "examples/city/world.h"

namespace larr::city {

enum Rain { kNoRain, kLightRain, kHeavyRain, kRainCount };

enum Situation {
  kHome,
  kOffice,
  kBusinessTrip,
  kVacation,
  kWorkingLate,
  kParty,
  kIll,
  kSports,
  kStudying,
  kDate,
  kSituationCount
};

// What is said of it, e.g. `light rain`, `at the office`, `warm`.
std::string_view RainName(Rain rain);
std::string_view SituationName(Situation situation);
std::string_view TemperatureBand(double temperature);

struct Moment {
  int city = 0;      // Where the user is: not home on a trip.
  int district = 0;  // Of that city.
  Position position;
  int hour = 0;
  Meal meal = kLunch;
  double temperature = 0;
  Rain rain = kNoRain;
  Situation situation = kHome;
};

// The hour at which the share `u` of a day's requests is past.
// REQUIRES: 0 <= u < 1
int HourOfShare(double u);

Meal MealOfHour(int hour);

// REQUIRES: 0 <= hour < 24
Moment MakeMoment(uint64_t seed, const World& world, const Calendar& calendar,
                  int day, int hour, int user_index, const User& user,
                  Random& random);

}  // namespace larr::city
