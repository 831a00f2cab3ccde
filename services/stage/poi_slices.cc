// SPDX-License-Identifier: Apache-2.0
#include "services/stage/poi_slices.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/base/status_macros.h"
#include "common/dataset/impression_stream.h"

namespace larr::stage {

std::string_view PoiSliceName(PoiSlice slice) {
  switch (slice) {
    case PoiSlice::kCold:
      return "cold";
    case PoiSlice::kRare:
      return "rare";
    case PoiSlice::kFrequent:
      return "frequent";
  }
  return "";
}

absl::StatusOr<PoiSlices> PoiSlices::Learn(const Dataset& dataset) {
  LARR_ASSIGN_OR_RETURN(
      auto stream, ImpressionStream::Open(dataset, {.part = Part::kTrain}));
  std::map<std::string, int64_t> counts;
  Impression row;
  while (true) {
    LARR_ASSIGN_OR_RETURN(const bool more, stream.Next(row));
    if (!more) break;
    ++counts[row.poi_id];
  }
  std::vector<std::pair<int64_t, std::string>> ranked;
  ranked.reserve(counts.size());
  for (const auto& [poi, count] : counts) ranked.emplace_back(count, poi);
  std::sort(ranked.begin(), ranked.end(), std::greater<>());
  PoiSlices slices;
  int64_t above = 0;
  for (const auto& [count, poi] : ranked) {
    slices.slices_[poi] =
        above * 2 < stream.position() ? PoiSlice::kFrequent : PoiSlice::kRare;
    above += count;
  }
  return slices;
}

PoiSlice PoiSlices::Of(std::string_view poi_id) const {
  const auto found = slices_.find(poi_id);
  return found == slices_.end() ? PoiSlice::kCold : found->second;
}

int64_t PoiSlices::CountOf(PoiSlice slice) const {
  return std::count_if(slices_.begin(), slices_.end(),
                       [&](const auto& poi) { return poi.second == slice; });
}

}  // namespace larr::stage
