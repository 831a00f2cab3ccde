// SPDX-License-Identifier: Apache-2.0
//
// Where the POIs of a simulated city's snapshot are, and what they say that
// they cook: a category that is wrong for one POI in seven.
//
// Threads:  one.
// Errors:   kFailedPrecondition  the snapshot is of another dataset than the
//                                city;  otherwise those of the snapshot
#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "common/store/snapshot.h"
#include "examples/city/world.h"

namespace larr::experiment {

struct Place {
  std::string city;
  std::string category;
};

// Of every POI, by id.
absl::StatusOr<std::map<std::string, Place>> ReadPlaces(
    const Snapshot& snapshot, const city::World& world);

}  // namespace larr::experiment
