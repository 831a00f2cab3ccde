// SPDX-License-Identifier: Apache-2.0
//
// The POIs and users of the city, with what is hidden about them. An entity
// is a function of (seed, its index) and of the world alone.
//
// Units:      kilometres within a city; prices on the scale of PriceLevel().
// Threads:    constant after construction.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "examples/city/calendar.h"
#include "examples/city/random.h"
#include "examples/city/world.h"

namespace larr::city {

struct Position {
  double x = 0;
  double y = 0;
};

// One dish of a POI, in the words of that POI.
struct MenuItem {
  int dish = 0;
  int form = 0;
};

struct Poi {
  std::string id;
  int city = 0;
  int district = 0;
  int place = 0;  // Of the district.
  Position position;
  int opens = 0;     // Index of its first day.
  int category = 0;  // Cuisine by which the platform lists it: at times wrong.
  std::vector<MenuItem> menu;
  double average_price = 0;  // Yuan, as listed.
  double popularity = 0;     // Weight of being shown.

  // Means over the menu.
  double temperature = 0;
  double spicy = 0;
  double sweet = 0;
  std::array<double, kMealCount> meals = {};
  std::vector<double> cuisine_shares;  // By cuisine; sums to 1.

  // Hidden.
  double price_level = 0;  // Of the menu, with noise.
  double quality = 0;
  double order_quality = 0;
};

struct User {
  std::string id;
  int city = 0;
  int district = 0;
  int origin = 0;  // City of the region where the user grew up.
  std::string gender;
  std::string age_group;
  std::string occupation;
  Position home;

  // Hidden.
  std::vector<double> taste;  // By cuisine.
  double spicy_liking = 0;
  double sweet_liking = 0;
  double local_liking = 0;
  double price_level = 0;  // What the user likes to pay.
  double activity = 0;     // Weight of asking.
};

// REQUIRES: count >= 1. `pois` gets its popularity by a ranking in each city.
std::vector<Poi> MakePois(uint64_t seed, int count, const World& world,
                          const Calendar& calendar);
std::vector<User> MakeUsers(uint64_t seed, int count, const World& world);

// What the hidden model reads of a POI's menu, and the columns of the POIs'
// table that hold it, in the same order: in no text, and in no feature of a
// recommender.
std::vector<std::string> MenuTruthColumns(const World& world);
std::vector<double> MenuTruth(const Poi& poi);

// Somewhere around the centre of a district.
Position PositionIn(int district, Random& random);

// As the crow flies, and a little for the door; to 0.1 km.
double Distance(const Position& a, const Position& b);

}  // namespace larr::city
