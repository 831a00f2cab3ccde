// SPDX-License-Identifier: Apache-2.0
#include "examples/city/world.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "examples/city/random.h"

namespace larr::city {
namespace {

constexpr std::string_view kMealLetters = "bltdn";

std::vector<std::string> Split(std::string_view text, char divider) {
  std::vector<std::string> parts;
  while (true) {
    const size_t at = text.find(divider);
    parts.emplace_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

// Where an error is.
struct Place {
  std::string_view table;
  int line = 0;
};

absl::Status Wrong(const Place& place, std::string_view what,
                   std::string_view value) {
  return Invalid("{} line {}: {} '{}'", place.table, place.line, what, value);
}

absl::StatusOr<double> Number(const Place& place, const std::string& text) {
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return Wrong(place, "not a number:", text);
  }
  return value;
}

// Index of `name`, appended if it is new.
int Intern(std::vector<std::string>& names, const std::string& name) {
  const auto at = std::find(names.begin(), names.end(), name) - names.begin();
  if (at == std::ssize(names)) names.push_back(name);
  return static_cast<int>(at);
}

absl::StatusOr<std::vector<std::vector<std::string>>> Rows(
    std::string_view table, std::string_view csv, size_t columns) {
  std::vector<std::vector<std::string>> rows;
  int line = 0;
  for (const std::string& text : Split(csv, '\n')) {
    ++line;
    if (text.empty() || text[0] == '#') continue;
    rows.push_back(Split(text, ','));
    if (rows.back().size() != columns) {
      return Wrong({table, line}, fmt::format("not {} columns:", columns),
                   text);
    }
    rows.back().push_back(std::to_string(line));
  }
  return rows;
}

absl::StatusOr<Dish> ParseDish(const std::vector<std::string>& row,
                               World& world) {
  const Place place{"dishes.csv", std::stoi(row.back())};
  Dish dish;
  dish.cuisine = Intern(world.cuisines, row[0]);
  LARR_ASSIGN_OR_RETURN(dish.temperature, Number(place, row[2]));
  LARR_ASSIGN_OR_RETURN(dish.spicy, Number(place, row[3]));
  LARR_ASSIGN_OR_RETURN(dish.sweet, Number(place, row[4]));
  for (const char letter : row[5]) {
    const size_t meal = kMealLetters.find(letter);
    if (meal == std::string_view::npos)
      return Wrong(place, "no such meal:", row[5]);
    dish.meals[meal] = true;
  }
  LARR_ASSIGN_OR_RETURN(dish.price, Number(place, row[6]));
  if (dish.price <= 0) return Wrong(place, "price must be positive:", row[6]);
  dish.price_level = PriceLevel(dish.price);
  dish.is_new = row[7] == "new";
  dish.forms.push_back({row[1], false});
  if (row[8].empty()) return dish;
  for (const std::string& form : Split(row[8], '/')) {
    const bool is_new = form[0] == '*';
    dish.forms.push_back({form.substr(is_new ? 1 : 0), is_new});
  }
  return dish;
}

}  // namespace

absl::StatusOr<World> ParseWorld(std::string_view dishes_csv,
                                 std::string_view cities_csv) {
  World world;
  LARR_ASSIGN_OR_RETURN(const auto dishes, Rows("dishes.csv", dishes_csv, 9));
  for (const auto& row : dishes) {
    LARR_ASSIGN_OR_RETURN(Dish dish, ParseDish(row, world));
    world.dishes.push_back(std::move(dish));
  }
  LARR_ASSIGN_OR_RETURN(const auto cities, Rows("cities.csv", cities_csv, 6));
  for (const auto& row : cities) {
    const Place place{"cities.csv", std::stoi(row.back())};
    if (world.cities.empty() || world.cities.back().name != row[0]) {
      City city{.name = row[0], .region = row[1]};
      const auto at =
          std::find(world.cuisines.begin(), world.cuisines.end(), row[2]);
      if (at == world.cuisines.end())
        return Wrong(place, "no dish of cuisine", row[2]);
      city.cuisine = static_cast<int>(at - world.cuisines.begin());
      LARR_ASSIGN_OR_RETURN(city.temperature, Number(place, row[3]));
      world.cities.push_back(std::move(city));
    }
    world.cities.back().districts.push_back({row[4], Split(row[5], '/')});
  }
  return world;
}

double PriceLevel(double yuan) { return Log(yuan / 10) / Log(2); }

}  // namespace larr::city
