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
// and "regions": [{"region", "precision", "cuisine_share"}].
//
// Cuisine is the category that the platform shows (places.h).
//
// Threads:  one.
// Errors:   kFailedPrecondition  the snapshot is of another embedder, or of
//                                another dataset than the city;  otherwise
//                                those of the snapshot and of the encoder
#pragma once

#include <nlohmann/json.hpp>

#include "absl/status/statusor.h"
#include "common/store/snapshot.h"
#include "examples/city/world.h"
#include "services/embedding/text_encoder.h"

namespace larr::experiment {

absl::StatusOr<nlohmann::ordered_json> MeasureRecall(const Snapshot& snapshot,
                                                     const city::World& world,
                                                     TextEncoder& encoder);

}  // namespace larr::experiment
