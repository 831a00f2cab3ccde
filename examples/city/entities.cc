// SPDX-License-Identifier: Apache-2.0
#include "examples/city/entities.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace larr::city {
namespace {

constexpr double kNewShare = 0.08;      // POIs that open in the test days.
constexpr double kNewPopularity = 1.6;  // The platform shows them more.
constexpr double kLocalShare = 0.3;     // POIs of the city's own cuisine.
constexpr double kSameCuisine = 0.85;   // Menu items of the seed's cuisine.
constexpr double kLabelIsRight = 0.85;  // Listed under their true cuisine.
constexpr double kPopularityPower = -0.9;
constexpr double kPositionSpread = 0.8;

constexpr std::array<Position, 3> kCentres = {{{0, 0}, {3, 0}, {1.5, 2.6}}};

struct Group {
  std::string_view name;
  double effect;  // On liking sweet (ages) or on the price level (occupations).
};
constexpr std::array<Group, 5> kAges = {
    {{"20s", 0.3}, {"30s", 0.1}, {"40s", 0}, {"50s", -0.2}, {"60s", -0.3}}};
constexpr std::array<double, 5> kAgeWeights = {30, 30, 20, 12, 8};
constexpr std::array<Group, 8> kOccupations = {{{"student", -0.5},
                                                {"office worker", 0.1},
                                                {"engineer", 0.3},
                                                {"teacher", 0},
                                                {"nurse", 0},
                                                {"driver", -0.3},
                                                {"shop assistant", -0.2},
                                                {"manager", 0.6}}};

// How far apart two dishes are in what they are like.
double Difference(const Dish& a, const Dish& b) {
  double meals = 0;
  for (int m = 0; m < kMealCount; ++m) meals += a.meals[m] != b.meals[m];
  return std::abs(a.temperature - b.temperature) + std::abs(a.spicy - b.spicy) +
         std::abs(a.sweet - b.sweet) + 0.3 * meals +
         0.5 * std::abs(a.price_level - b.price_level);
}

// Dishes that a POI may serve. A new one serves a new dish three times as
// likely.
std::vector<double> SeedWeights(const World& world, int cuisine, bool is_new) {
  std::vector<double> weights;
  for (const Dish& dish : world.dishes) {
    const double weight = dish.is_new ? (is_new ? 3 : 0) : 1;
    weights.push_back(dish.cuisine == cuisine ? weight : 0);
  }
  return weights;
}

int PickForm(const Dish& dish, bool poi_is_new, Random& random) {
  std::vector<double> weights;
  for (const SurfaceForm& form : dish.forms) {
    weights.push_back(form.is_new ? (poi_is_new ? 2 : 0) : 1);
  }
  return random.Weighted(weights);
}

// A seed dish and two to four near it.
std::vector<MenuItem> MakeMenu(const World& world, int cuisine, bool is_new,
                               Random& random) {
  const int seed = random.Weighted(SeedWeights(world, cuisine, is_new));
  std::vector<int> dishes = {seed};
  const int extra = 2 + random.Below(3);
  std::vector<double> weights(world.dishes.size());
  for (int i = 0; i < extra; ++i) {
    const bool same = random.Chance(kSameCuisine);
    for (size_t d = 0; d < weights.size(); ++d) {
      const Dish& dish = world.dishes[d];
      const bool known =
          std::find(dishes.begin(), dishes.end(), d) != dishes.end();
      const bool fits = !known && (is_new || !dish.is_new) &&
                        (!same || dish.cuisine == cuisine);
      weights[d] = fits ? Exp(-3 * Difference(world.dishes[seed], dish)) : 0;
    }
    dishes.push_back(random.Weighted(weights));
  }
  std::vector<MenuItem> menu;
  for (const int dish : dishes) {
    menu.push_back({dish, PickForm(world.dishes[dish], is_new, random)});
  }
  return menu;
}

// The attributes of a POI that are means over its menu.
void SumUpMenu(const World& world, Poi& poi) {
  poi.cuisine_shares.assign(world.cuisines.size(), 0);
  const double share = 1.0 / static_cast<double>(poi.menu.size());
  for (const MenuItem& item : poi.menu) {
    const Dish& dish = world.dishes[item.dish];
    poi.temperature += share * dish.temperature;
    poi.spicy += share * dish.spicy;
    poi.sweet += share * dish.sweet;
    for (int m = 0; m < kMealCount; ++m) poi.meals[m] += share * dish.meals[m];
    poi.cuisine_shares[dish.cuisine] += share;
    poi.price_level += share * dish.price_level;
  }
}

Poi MakePoi(uint64_t seed, int index, const World& world,
            const Calendar& calendar) {
  Random random({seed, Random::kPoi, static_cast<uint64_t>(index)});
  const int cities = static_cast<int>(world.cities.size());
  const int cuisines = static_cast<int>(world.cuisines.size());
  Poi poi{.id = fmt::format("p{:06}", index), .city = index % cities};
  const City& city = world.cities[poi.city];
  poi.district = index / cities % static_cast<int>(city.districts.size());
  poi.place = random.Below(
      static_cast<int>(city.districts[poi.district].places.size()));
  poi.position = PositionIn(poi.district, random);
  const bool is_new = random.Chance(kNewShare);
  if (is_new) {
    // Half of them open on the first test day.
    const int late = std::max(
        0, random.Below(2 * calendar.length[kTest]) - calendar.length[kTest]);
    poi.opens = calendar.first[kTest] + late;
  }
  const int cuisine =
      random.Chance(kLocalShare) ? city.cuisine : random.Below(cuisines);
  poi.menu = MakeMenu(world, cuisine, is_new, random);
  SumUpMenu(world, poi);
  poi.category =
      random.Chance(kLabelIsRight) ? cuisine : random.Below(cuisines);
  poi.average_price = std::round(10 * Exp(poi.price_level * Log(2)));
  poi.price_level += 0.25 * random.Normal();
  poi.quality = random.Normal();
  poi.order_quality = random.Normal();
  return poi;
}

}  // namespace

Position PositionIn(int district, Random& random) {
  const Position& centre = kCentres[district % kCentres.size()];
  return {centre.x + kPositionSpread * random.Normal(),
          centre.y + kPositionSpread * random.Normal()};
}

double Distance(const Position& a, const Position& b) {
  const double dx = a.x - b.x, dy = a.y - b.y;
  return std::round(10 * (std::sqrt(dx * dx + dy * dy) + 0.2)) / 10;
}

std::vector<Poi> MakePois(uint64_t seed, int count, const World& world,
                          const Calendar& calendar) {
  std::vector<Poi> pois;
  for (int i = 0; i < count; ++i) {
    pois.push_back(MakePoi(seed, i, world, calendar));
  }
  for (int city = 0; city < std::ssize(world.cities); ++city) {
    std::vector<int> ranking;
    for (int i = 0; i < count; ++i) {
      if (pois[i].city == city) ranking.push_back(i);
    }
    Random random({seed, Random::kRanking, static_cast<uint64_t>(city)});
    for (int i = static_cast<int>(ranking.size()) - 1; i > 0; --i) {
      std::swap(ranking[i], ranking[random.Below(i + 1)]);
    }
    for (size_t rank = 0; rank < ranking.size(); ++rank) {
      Poi& poi = pois[ranking[rank]];
      poi.popularity =
          Exp(kPopularityPower * Log(static_cast<double>(rank + 1))) *
          (poi.opens > 0 ? kNewPopularity : 1);
    }
  }
  return pois;
}

std::vector<User> MakeUsers(uint64_t seed, int count, const World& world) {
  std::vector<User> users;
  const int cities = static_cast<int>(world.cities.size());
  for (int i = 0; i < count; ++i) {
    Random random({seed, Random::kUser, static_cast<uint64_t>(i)});
    User user{.id = fmt::format("u{:06}", i), .city = i % cities};
    user.district = random.Below(
        static_cast<int>(world.cities[user.city].districts.size()));
    user.origin = random.Chance(0.65) ? user.city : random.Below(cities);
    user.gender = random.Chance(0.5) ? "woman" : "man";
    const Group& age = kAges[random.Weighted(kAgeWeights)];
    const Group& occupation = kOccupations[random.Below(kOccupations.size())];
    user.age_group = age.name;
    user.occupation = occupation.name;
    user.home = PositionIn(user.district, random);
    for (size_t c = 0; c < world.cuisines.size(); ++c) {
      user.taste.push_back(random.Normal());
    }
    user.taste[world.cities[user.origin].cuisine] += 0.8;
    user.spicy_liking = random.Normal();
    user.sweet_liking = age.effect + random.Normal();
    user.local_liking = random.Normal();
    user.price_level = 1.4 + occupation.effect + 0.6 * random.Normal();
    user.activity = Exp(random.Normal());
    users.push_back(std::move(user));
  }
  return users;
}

std::vector<std::string> MenuTruthColumns(const World& world) {
  std::vector<std::string> names = {"true_temperature", "true_spicy",
                                    "true_sweet", "true_price"};
  for (int meal = 0; meal < kMealCount; ++meal)
    names.push_back(fmt::format("true_meal_{}", meal));
  for (size_t c = 0; c < world.cuisines.size(); ++c)
    names.push_back(fmt::format("true_cuisine_{}", c));
  return names;
}

std::vector<double> MenuTruth(const Poi& poi) {
  std::vector<double> truth = {poi.temperature, poi.spicy, poi.sweet,
                               poi.price_level};
  truth.insert(truth.end(), poi.meals.begin(), poi.meals.end());
  truth.insert(truth.end(), poi.cuisine_shares.begin(),
               poi.cuisine_shares.end());
  return truth;
}

}  // namespace larr::city
