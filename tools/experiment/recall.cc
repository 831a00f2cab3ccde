// SPDX-License-Identifier: Apache-2.0
#include "tools/experiment/recall.h"

#include <fmt/format.h>

#include "common/base/status_macros.h"

namespace larr::experiment {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kTop = 10;

// Shares of a set of POIs.
struct Shares {
  int all = 0, in_city = 0, of_cuisine = 0, of_both = 0;

  void Add(const Place& place, const std::string& city,
           const std::string& cuisine) {
    ++all;
    in_city += place.city == city;
    of_cuisine += place.category == cuisine;
    of_both += place.city == city && place.category == cuisine;
  }
};

double Ratio(int part, int whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / whole;
}

}  // namespace

absl::StatusOr<Json> MeasureRecall(const Places& places,
                                   const city::World& world,
                                   const PoiSearch& search) {
  Json regions = Json::array();
  std::map<std::string, double> sums;
  for (const city::City& city : world.cities) {
    const std::string& cuisine = world.cuisines[city.cuisine];
    // A scene as the embedder knows it: a context text between its tokens.
    const std::string query = fmt::format(
        "<situation>travelling on vacation in {}</situation>", city.region);
    LARR_ASSIGN_OR_RETURN(const auto ids, search(query, kTop));
    Shares found, chance;
    for (const std::string& id : ids) {
      const auto place = places.find(id);
      if (place != places.end()) found.Add(place->second, city.name, cuisine);
    }
    for (const auto& [id, place] : places)
      chance.Add(place, city.name, cuisine);
    Json region = {
        {"query", query},
        {"region", city.region},
        {"city", city.name},
        {"cuisine", cuisine},
        {"precision", Ratio(found.in_city, kTop)},
        {"precision_chance", Ratio(chance.in_city, chance.all)},
        {"cuisine_share", Ratio(found.of_cuisine, kTop)},
        {"cuisine_share_chance", Ratio(chance.of_cuisine, chance.all)},
        {"cuisine_share_in_city", Ratio(chance.of_both, chance.in_city)}};
    for (const auto& [key, value] : region.items())
      if (value.is_number()) sums[key] += value.get<double>();
    regions.push_back(std::move(region));
  }
  Json json = {{"top", kTop}};
  for (const auto& [key, sum] : sums)
    json[key] = sum / static_cast<double>(world.cities.size());
  json["regions"] = std::move(regions);
  return json;
}

}  // namespace larr::experiment
