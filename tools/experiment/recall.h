// SPDX-License-Identifier: Apache-2.0
//
// The paper's case study (section 4.5) on the simulated city: for each region
// the ten POIs nearest to "a user travelling on vacation in <region>", by the
// vectors alone. The query names the region, POIs name their city: that
// Guangzhou is in Guangdong is for the language model to know, and that
// Cantonese food is what one eats there.
//
// As JSON: "top", and means over all regions of
//   precision              share of the ten that are in the region
//   precision_chance       of all POIs
//   cuisine_share          share of the ten that have the region's cuisine
//   cuisine_share_chance   of all POIs
//   cuisine_share_in_city  of the POIs in the region
// and "regions": for each the same five, "query", "region", "city" and
// "cuisine".
//
// Threads:  one.
// Errors:   those of the search
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "examples/city/world.h"

namespace larr::experiment {

// Where a POI is, and what it says that it cooks: the category that the
// platform shows, wrong for one POI in seven.
struct Place {
  std::string city;
  std::string category;
};
using Places = std::map<std::string, Place>;  // by POI id

// The ids of the `top` POIs nearest to a scene.
using PoiSearch = std::function<absl::StatusOr<std::vector<std::string>>(
    const std::string& scene, int top)>;

// `places`: of all POIs that can be found.
absl::StatusOr<nlohmann::ordered_json> MeasureRecall(const Places& places,
                                                     const city::World& world,
                                                     const PoiSearch& search);

}  // namespace larr::experiment
