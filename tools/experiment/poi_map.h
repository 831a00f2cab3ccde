// SPDX-License-Identifier: Apache-2.0
//
// A map of what the vectors say: POIs in the plane of the two principal
// components of their comprehensive texts' vectors (paper eq. 18), each of
// length 1. As JSON:
//
//   {"cities": [name, ...], "categories": [name, ...], "explained": share of
//    the variance that the plane has, "points": [[x, y, city, category], ...]}
//
// `city` and `category` are positions in the lists. A thinned map, of at most
// `most` POIs: every n-th of the snapshot.
//
// Threads:  one.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>

#include "services/embedding/poi_index.h"
#include "tools/experiment/recall.h"

namespace larr::experiment {

nlohmann::ordered_json MapPois(const PoiIndex& pois, const Places& places,
                               size_t most);

}  // namespace larr::experiment
