// SPDX-License-Identifier: Apache-2.0
#include "tools/experiment/recall.h"

#include <fmt/format.h>

#include <map>
#include <string>
#include <vector>

#include "common/base/status_macros.h"
#include "services/embedding/poi_index.h"
#include "tools/experiment/places.h"

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

absl::StatusOr<Json> MeasureRecall(const Snapshot& snapshot,
                                   const city::World& world,
                                   TextEncoder& encoder) {
  if (snapshot.fingerprint() != encoder.fingerprint())
    return absl::FailedPreconditionError(
        fmt::format("{} is of another embedder", snapshot.folder().string()));
  LARR_ASSIGN_OR_RETURN(const auto places, ReadPlaces(snapshot, world));
  LARR_ASSIGN_OR_RETURN(const PoiIndex index, PoiIndex::Load(snapshot));
  Json regions = Json::array();
  std::map<std::string, double> sums;
  for (const city::City& city : world.cities) {
    const std::string& cuisine = world.cuisines[city.cuisine];
    const std::string query = fmt::format(
        "<situation>travelling on vacation in {}</situation>", city.region);
    LARR_ASSIGN_OR_RETURN(const auto encoded, encoder.Encode({&query, 1}));
    Shares found, chance;
    for (const PoiIndex::Hit& hit : index.Search(encoded.vectors, kTop)) {
      const auto place = places.find(hit.poi_id);
      if (place != places.end()) found.Add(place->second, city.name, cuisine);
    }
    for (const auto& [id, place] : places)
      chance.Add(place, city.name, cuisine);
    const double precision = Ratio(found.in_city, kTop);
    const double share = Ratio(found.of_cuisine, kTop);
    sums["precision"] += precision;
    sums["precision_chance"] += Ratio(chance.in_city, chance.all);
    sums["cuisine_share"] += share;
    sums["cuisine_share_chance"] += Ratio(chance.of_cuisine, chance.all);
    sums["cuisine_share_in_city"] += Ratio(chance.of_both, chance.in_city);
    regions.push_back({{"region", city.region},
                       {"precision", precision},
                       {"cuisine_share", share}});
  }
  Json json = {{"top", kTop}};
  for (const auto& [key, sum] : sums)
    json[key] = sum / static_cast<double>(world.cities.size());
  json["regions"] = std::move(regions);
  return json;
}

}  // namespace larr::experiment
