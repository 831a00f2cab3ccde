// SPDX-License-Identifier: Apache-2.0
//
// The POIs of a simulated city's snapshot, for the case study (recall.h) and
// the map (poi_map.h).
//
// Threads:  one.
// Errors:   kFailedPrecondition  the snapshot is of another dataset than the
//                                city, or of another embedder;  otherwise those
//                                of the snapshot and of the encoder
#pragma once

#include "absl/status/statusor.h"
#include "common/store/snapshot.h"
#include "examples/city/world.h"
#include "services/embedding/poi_index.h"
#include "services/embedding/text_encoder.h"
#include "tools/experiment/recall.h"

namespace larr::experiment {

// Of every POI of a known district.
absl::StatusOr<Places> ReadPlaces(const Snapshot& snapshot,
                                  const city::World& world);

// Searches `pois`, those of the snapshot, by what `encoder` makes of a scene.
// Borrows both.
absl::StatusOr<PoiSearch> SearchBy(TextEncoder& encoder,
                                   const Snapshot& snapshot,
                                   const PoiIndex& pois);

}  // namespace larr::experiment
