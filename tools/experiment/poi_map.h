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
// Errors:   those of places.h and of the snapshot
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>

#include "absl/status/statusor.h"
#include "common/store/snapshot.h"
#include "examples/city/world.h"

namespace larr::experiment {

absl::StatusOr<nlohmann::ordered_json> MapPois(const Snapshot& snapshot,
                                               const city::World& world,
                                               size_t most);

}  // namespace larr::experiment
