// SPDX-License-Identifier: Apache-2.0
//
// The world that the city is made of: real dishes of real regions with their
// attributes, and real cities with their places. Read from the two tables of
// this folder.
//
// Units:      prices are yuan; temperatures of dishes are -1 (cold) .. 1 (hot),
//             of cities degrees Celsius; spicy and sweet are 0 .. 1.
// Threads:    constant after construction.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace larr::city {

// The meals of a day.
enum Meal { kBreakfast, kLunch, kTea, kDinner, kNight, kMealCount };

// One way to write a dish.
struct SurfaceForm {
  std::string text;
  bool is_new = false;  // Only POIs that open in the test days write it so.
};

struct Dish {
  int cuisine = 0;
  double temperature = 0;
  double spicy = 0;
  double sweet = 0;
  std::array<bool, kMealCount> meals = {};
  double price = 0;
  double price_level = 0;  // PriceLevel(price)
  bool is_new = false;     // Only POIs that open in the test days serve it.
  std::vector<SurfaceForm> forms;  // The first one is the usual name.
};

struct District {
  std::string name;
  std::vector<std::string> places;
};

struct City {
  std::string name;
  std::string region;
  int cuisine = 0;
  double temperature = 0;  // Usual noon of the season.
  std::vector<District> districts;
};

struct World {
  std::vector<std::string> cuisines;
  std::vector<Dish> dishes;
  std::vector<City> cities;
};

// Errors: kInvalidArgument, naming the table, the line and the field.
absl::StatusOr<World> ParseWorld(std::string_view dishes_csv,
                                 std::string_view cities_csv);

// How dear something is, on the scale of the hidden model: 0 for 10 yuan, and
// one more for each doubling. REQUIRES: yuan > 0
double PriceLevel(double yuan);

}  // namespace larr::city
