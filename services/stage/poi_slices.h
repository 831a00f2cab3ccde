// SPDX-License-Identifier: Apache-2.0
//
// POIs by how often training rows showed them: the slices that metrics are cut
// by, to tell what a model does about a cold start.
//
// Threads: const access is safe from any thread.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "common/dataset/dataset_spec.h"

namespace larr::stage {

enum class PoiSlice {
  kCold,      // Never.
  kRare,      // The others.
  kFrequent,  // The most shown ones, which had half of the rows together.
};

inline constexpr PoiSlice kPoiSlices[] = {PoiSlice::kCold, PoiSlice::kRare,
                                          PoiSlice::kFrequent};

// `cold`, `rare` or `frequent`.
std::string_view PoiSliceName(PoiSlice slice);

class PoiSlices {
 public:
  // One pass over the training rows. Errors: those of ImpressionStream
  static absl::StatusOr<PoiSlices> Learn(const Dataset& dataset);

  PoiSlice Of(std::string_view poi_id) const;
  // How many POIs training rows showed are in the slice.
  int64_t CountOf(PoiSlice slice) const;

 private:
  std::map<std::string, PoiSlice, std::less<>> slices_;  // But for cold ones.
};

}  // namespace larr::stage
