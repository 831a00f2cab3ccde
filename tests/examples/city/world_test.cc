// SPDX-License-Identifier: Apache-2.0
#include "examples/city/world.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "examples/city/embedded.h"

namespace larr::city {
namespace {

TEST_CASE("The world is as large and as open as it must be", "[city]") {
  const auto world = ParseWorld(kDishesCsv, kCitiesCsv);
  REQUIRE(world.ok());
  CHECK(world->dishes.size() >= 400);
  CHECK(world->cities.size() == 12);
  std::set<std::string> names;
  int several = 0, new_dishes = 0, new_forms = 0;
  for (const Dish& dish : world->dishes) {
    CHECK(names.insert(dish.forms[0].text).second);
    CHECK(std::count(dish.meals.begin(), dish.meals.end(), true) > 0);
    CHECK(std::abs(dish.temperature) <= 1);
    CHECK((dish.spicy >= 0 && dish.spicy <= 1 && dish.sweet >= 0 &&
           dish.sweet <= 1));
    CHECK_FALSE(dish.forms[0].is_new);
    several += dish.forms.size() > 1;
    new_dishes += dish.is_new;
    for (const SurfaceForm& form : dish.forms) new_forms += form.is_new;
  }
  CHECK(several > 300);
  CHECK(new_dishes >= 40);
  CHECK(new_forms >= 100);
  for (const City& city : world->cities) {
    CHECK(city.districts.size() == 3);
    CHECK(std::count_if(world->dishes.begin(), world->dishes.end(),
                        [&](const Dish& d) {
                          return d.cuisine == city.cuisine && !d.is_new;
                        }) >= 20);
  }
}

TEST_CASE("A wrong table is refused with line and value", "[city]") {
  const auto error = [](const std::string& row) {
    return ParseWorld("# comment\n" + row, kCitiesCsv).status().ToString();
  };
  CHECK_THAT(error("A,b,hot,0,0,l,5,,"),
             Catch::Contains("line 2") && Catch::Contains("'hot'"));
  CHECK_THAT(error("A,b,0,0,0,x,5,,"), Catch::Contains("meal"));
  CHECK_THAT(error("A,b,0,0,0,l,0,,"), Catch::Contains("positive"));
  CHECK_THAT(error("A,b"), Catch::Contains("9 columns"));
  CHECK_THAT(error("A,b,0,0,0,l,5,,"), Catch::Contains("cities.csv line"));
}

TEST_CASE("PriceLevel counts doublings of ten yuan", "[city]") {
  CHECK(PriceLevel(10) == Approx(0).margin(1e-12));
  CHECK(PriceLevel(80) == Approx(3));
}

}  // namespace
}  // namespace larr::city
