// SPDX-License-Identifier: Apache-2.0
#include "tools/experiment/places.h"

#include <fmt/format.h>

#include "common/base/status_macros.h"

namespace larr::experiment {

absl::StatusOr<Places> ReadPlaces(const Snapshot& snapshot,
                                  const city::World& world) {
  std::map<std::string, std::string> city_of;
  for (const city::City& city : world.cities)
    for (const city::District& district : city.districts)
      city_of[district.name] = city.name;
  Places places;
  LARR_RETURN_IF_ERROR(snapshot.ForEachEntity(
      config::v1::POI, [&](std::string_view id, const auto& row) {
        const auto text = [&row](const char* column) {
          const auto found = row.columns().find(column);
          return found == row.columns().end() ? ""
                                              : found->second.string_value();
        };
        const auto city = city_of.find(text("district"));
        if (city != city_of.end())
          places[std::string(id)] = {city->second, text("category")};
        return absl::OkStatus();
      }));
  if (places.empty())
    return absl::FailedPreconditionError(
        fmt::format("{} has no POI of the simulated city: recall by region is "
                    "measured there alone",
                    snapshot.folder().string()));
  return places;
}

absl::StatusOr<PoiSearch> SearchBy(TextEncoder& encoder,
                                   const Snapshot& snapshot,
                                   const PoiIndex& pois) {
  if (snapshot.fingerprint() != encoder.fingerprint())
    return absl::FailedPreconditionError(
        fmt::format("{} is of another embedder", snapshot.folder().string()));
  return
      [&encoder, &pois](const std::string& scene,
                        int top) -> absl::StatusOr<std::vector<std::string>> {
        LARR_ASSIGN_OR_RETURN(const auto encoded, encoder.Encode({&scene, 1}));
        std::vector<std::string> ids;
        for (const PoiIndex::Hit& hit : pois.Search(encoded.vectors, top))
          ids.push_back(hit.poi_id);
        return ids;
      };
}

}  // namespace larr::experiment
