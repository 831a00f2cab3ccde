// SPDX-License-Identifier: Apache-2.0
#include "examples/city/hidden_model.h"

#include <catch2/catch.hpp>

#include "examples/city/embedded.h"

namespace larr::city {
namespace {

// One user, POI and moment, in which nothing has an effect but what a test
// sets.
struct Scene {
  World world = *ParseWorld(kDishesCsv, kCitiesCsv);
  User user;
  Poi poi;
  Moment moment{.temperature = 16};

  Scene() {
    user.taste.assign(world.cuisines.size(), 0);
    poi.cuisine_shares.assign(world.cuisines.size(), 0);
    poi.spicy = poi.sweet = 0.25;
    poi.meals.fill(0.4);
  }
  int Click(double distance = 1.5, int position = 0) const {
    return ComputeProbabilities(ComputeEffects(world, user, poi, moment), poi,
                                distance, position)
        .click;
  }
};

TEST_CASE("Without effects only the intercept is left", "[city]") {
  // logistic(-1.75)
  CHECK(Scene().Click() == Approx(0.14805 * kProbabilityScale).margin(2));
}

TEST_CASE("Effects have the signs that the model states", "[city]") {
  Scene scene;
  const int base = scene.Click();
  SECTION("cold dishes in the heat") {
    scene.moment.temperature = 34;
    scene.poi.temperature = -1;
    CHECK(scene.Click() > base);
    scene.poi.temperature = 1;
    CHECK(scene.Click() < base);
  }
  SECTION("the clip of the weather") {
    scene.poi.temperature = 1;
    scene.moment.temperature = -2;
    const int cold = scene.Click();
    scene.moment.temperature = -20;
    CHECK(scene.Click() == cold);
  }
  SECTION("warm dishes in the rain") {
    scene.poi.temperature = 1;
    scene.moment.rain = kHeavyRain;
    CHECK(scene.Click() > base);
  }
  SECTION("taste") {
    scene.poi.cuisine_shares[3] = 1;
    scene.user.taste[3] = 1;
    CHECK(scene.Click() > base);
  }
  SECTION("the meal of the hour") {
    scene.poi.meals[scene.moment.meal] = 1;
    CHECK(scene.Click() > base);
  }
  SECTION("local food on vacation more than on business, not at home") {
    scene.poi.cuisine_shares[scene.world.cities[0].cuisine] = 1;
    CHECK(scene.Click() == base);
    scene.moment.situation = kVacation;
    const int vacation = scene.Click();
    scene.moment.situation = kBusinessTrip;
    CHECK(scene.Click() > base);
    CHECK(vacation > scene.Click());
  }
  SECTION("price, distance, position, quality") {
    scene.user.price_level = 1;
    CHECK(scene.Click() < base);
    scene.user.price_level = 0;
    CHECK(scene.Click(4) < base);
    CHECK(scene.Click(1.5, 9) < base);
    scene.poi.quality = 1;
    CHECK(scene.Click() > base);
  }
  SECTION("illness and chili") {
    scene.moment.situation = kIll;
    scene.poi.spicy = 1;
    CHECK(scene.Click() < base);
  }
}

TEST_CASE("An order is never likelier than its click", "[city]") {
  Scene scene;
  for (double quality = -20; quality <= 20; quality += 2) {
    scene.poi.quality = quality;
    scene.poi.order_quality = 30;
    const auto p = ComputeProbabilities(
        ComputeEffects(scene.world, scene.user, scene.poi, scene.moment),
        scene.poi, 1.5, 0);
    CHECK(p.order <= p.click);
    CHECK(p.click <= kProbabilityScale);
  }
}

}  // namespace
}  // namespace larr::city
