// SPDX-License-Identifier: Apache-2.0
#include "examples/city/texts.h"

#include <fmt/args.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <span>
#include <string_view>
#include <vector>

#include "examples/city/random.h"

namespace larr::city {
namespace {

constexpr std::array<std::string_view, 24> kAdjectives = {
    "Golden",      "Old",         "Lucky",        "Jade",     "Red Lantern",
    "Little",      "Morning",     "Bamboo",       "Corner",   "Riverside",
    "Blue Door",   "Three Trees", "Stone",        "Evening",  "Wild Goose",
    "Two Bridges", "Round Table", "Plum Blossom", "Clay Pot", "Willow",
    "Fifth Lane",  "White Wall",  "Happy",        "Harvest"};
constexpr std::array<std::string_view, 12> kNouns = {
    "Kitchen", "House", "Canteen", "Table",  "Restaurant", "Eatery",
    "Corner",  "Place", "Diner",   "Garden", "Pavilion",   "Workshop"};
constexpr std::array<std::string_view, 6> kNamePatterns = {
    "{place} {dish}",
    "{adjective} {dish}",
    "{adjective} {noun}",
    "{place} {adjective} {noun}",
    "{place} {category} {noun}",
    "{dish} {noun}"};
constexpr std::array<double, 6> kNameWeights = {22, 22, 22, 14, 10, 10};
constexpr std::array<std::string_view, 16> kIntroductions = {
    "Known around {place} for our {a}.",
    "A small place near {place}. Come for the {a}, stay for the {b}.",
    "We have served {a} and {b} in {district} for {years} years.",
    "Family kitchen by {place}; the {a} sells out early.",
    "Neighbours in {district} order our {a} again and again.",
    "{a} made to order, {b} on the side.",
    "Our cook learned {a} in {region}.",
    "Freshly made {a}, generous portions, quick delivery in {district}.",
    "From {place} to your door: {a}, {b} and more.",
    "If you like {a}, try our {b} too.",
    "The {a} follows a recipe from {region}; everything is made in house.",
    "{years} seats, one stove, and {a} as it should be.",
    "Simple food with good ingredients. Guests praise the {b}.",
    "Open since 20{years}. Most people come for {a}.",
    "Takeaway window at {place} with {a} and {b}.",
    "Everyday cooking for {district}: {a}, {b}."};
constexpr std::array<std::string_view, 6> kTags = {
    "free delivery",    "student discount", "big portions",
    "pick-up possible", "family owned",     "few seats"};

std::string Capitalized(std::string text, bool every_word) {
  bool start = true;
  for (char& c : text) {
    if (start && c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    start = every_word && c == ' ';
  }
  return text;
}

const std::string& FormText(const World& world, const MenuItem& item) {
  return world.dishes[item.dish].forms[item.form].text;
}

// The same dish in other words, where the POI may use other words.
const std::string& OtherForm(const World& world, const MenuItem& item,
                             bool poi_is_new, Random& random) {
  const auto& forms = world.dishes[item.dish].forms;
  const SurfaceForm& form = forms[random.Below(static_cast<int>(forms.size()))];
  return form.is_new && !poi_is_new ? FormText(world, item) : form.text;
}

// The region of a cuisine, where it has one.
std::string RegionOf(const World& world, int cuisine) {
  for (const City& city : world.cities) {
    if (city.cuisine == cuisine) return city.region;
  }
  return "a hotel kitchen";
}

std::string PoiName(const World& world, const Poi& poi, Random& random) {
  const City& city = world.cities[poi.city];
  const std::string_view pattern = kNamePatterns[random.Weighted(kNameWeights)];
  const MenuItem& item = poi.menu[random.Chance(0.6) ? 0 : poi.menu.size() - 1];
  return fmt::format(
      fmt::runtime(pattern),
      fmt::arg("place", city.districts[poi.district].places[poi.place]),
      fmt::arg("dish", Capitalized(FormText(world, item), true)),
      fmt::arg("category", world.cuisines[poi.category]),
      fmt::arg("adjective", kAdjectives[random.Below(kAdjectives.size())]),
      fmt::arg("noun", kNouns[random.Below(kNouns.size())]));
}

std::string Introduction(const World& world, const Poi& poi, Random& random) {
  const City& city = world.cities[poi.city];
  const District& district = city.districts[poi.district];
  const bool is_new = poi.opens > 0;
  const int count = static_cast<int>(poi.menu.size());
  const int a = random.Below(count);
  const int b = (a + 1 + random.Below(count - 1)) % count;
  const int cuisine = world.dishes[poi.menu[a].dish].cuisine;
  return Capitalized(
      fmt::format(
          fmt::runtime(kIntroductions[random.Below(kIntroductions.size())]),
          fmt::arg("place", district.places[poi.place]),
          fmt::arg("district", district.name),
          fmt::arg("region", RegionOf(world, cuisine)),
          fmt::arg("years", 10 + random.Below(15)),
          fmt::arg("a", OtherForm(world, poi.menu[a], is_new, random)),
          fmt::arg("b", OtherForm(world, poi.menu[b], is_new, random))),
      false);
}

std::optional<std::string> Tags(const World& world, const Poi& poi,
                                Random& random) {
  if (random.Chance(0.3)) return std::nullopt;
  std::string tags = world.cuisines[poi.category];
  if (poi.meals[kNight] > 0.5) tags += ", open late";
  if (poi.meals[kBreakfast] > 0.5) tags += ", breakfast from six";
  return tags + ", " + std::string(kTags[random.Below(kTags.size())]);
}

std::string JoinDishes(const World& world, std::span<const MenuItem> items) {
  std::string text;
  for (const MenuItem& item : items) {
    if (!text.empty()) text += ", ";
    text += FormText(world, item);
  }
  return text;
}

struct Level {
  int64_t least;
  std::string_view text;
};

std::string LevelText(std::span<const Level> levels, int64_t count) {
  std::string_view text;
  for (const Level& level : levels) {
    if (count >= level.least) text = level.text;
  }
  return std::string(text);
}

}  // namespace

PoiTexts MakePoiTexts(uint64_t seed, int index, const World& world,
                      const Poi& poi) {
  constexpr uint64_t kTextStream = 1;
  Random random(
      {seed, Random::kPoi, static_cast<uint64_t>(index), kTextStream});
  PoiTexts texts;
  texts.name = PoiName(world, poi, random);
  texts.menu = JoinDishes(world, poi.menu);
  texts.introduction = Introduction(world, poi, random);
  texts.tags = Tags(world, poi, random);
  return texts;
}

std::optional<std::string> HistoryText(const World& world,
                                       const UserHistory& user) {
  std::string text;
  if (!user.recently_ordered.empty()) {
    text = "ordered " + JoinDishes(world, user.recently_ordered);
  }
  if (!user.recently_viewed.empty()) {
    if (!text.empty()) text += "; ";
    text += "looked at " + JoinDishes(world, user.recently_viewed);
  }
  if (text.empty()) return std::nullopt;
  return text;
}

std::string PoiOrdersLevel(int64_t orders) {
  constexpr std::array<Level, 7> kLevels = {{{0, "no orders yet"},
                                             {1, "a few orders"},
                                             {10, "10+ orders"},
                                             {30, "30+ orders"},
                                             {100, "100+ orders"},
                                             {300, "300+ orders"},
                                             {1000, "1000+ orders"}}};
  return LevelText(kLevels, orders);
}

std::string UserOrdersLevel(int64_t orders) {
  constexpr std::array<Level, 6> kLevels = {{{0, "no orders yet"},
                                             {1, "first orders"},
                                             {3, "3+ orders"},
                                             {6, "6+ orders"},
                                             {15, "15+ orders"},
                                             {40, "40+ orders"}}};
  return LevelText(kLevels, orders);
}

std::string ClicksLevel(int64_t clicks) {
  constexpr std::array<Level, 4> kLevels = {{{0, "seldom here"},
                                             {10, "10+ visits"},
                                             {40, "40+ visits"},
                                             {150, "150+ visits"}}};
  return LevelText(kLevels, clicks);
}

std::string PriceText(double yuan) {
  constexpr std::array<int, 11> kPrices = {8,  12, 16, 20, 25, 30,
                                           40, 50, 65, 90, 130};
  int nearest = kPrices[0];
  for (const int price : kPrices) {
    if (price <= yuan * 1.1) nearest = price;
  }
  return fmt::format("about {} yuan", nearest);
}

}  // namespace larr::city
