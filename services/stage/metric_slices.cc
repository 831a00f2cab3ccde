// SPDX-License-Identifier: Apache-2.0
#include "services/stage/metric_slices.h"

#include <utility>

#include "common/base/status_macros.h"
#include "services/stage/group_sample.h"

namespace larr::stage {

absl::StatusOr<MetricSlices> MetricSlices::Learn(const Dataset& dataset,
                                                 double sample_fraction) {
  LARR_ASSIGN_OR_RETURN(auto pois, PoiSlices::Learn(dataset));
  return MetricSlices(std::move(pois), RowSlices(dataset), sample_fraction);
}

MetricSlices::MetricSlices(PoiSlices pois, RowSlices rows,
                           double sample_fraction)
    : pois_(std::move(pois)),
      rows_(std::move(rows)),
      sample_fraction_(sample_fraction) {
  for (const PoiSlice slice : kPoiSlices)
    names_.emplace_back(PoiSliceName(slice));
  names_.insert(names_.end(), rows_.names().begin(), rows_.names().end());
  if (sample_fraction_ > 0) names_.emplace_back(kSampleSlice);
}

std::vector<bool> MetricSlices::Of(const Impression& row) const {
  std::vector<bool> in;
  const PoiSlice of_poi = pois_.Of(row.poi_id);
  for (const PoiSlice slice : kPoiSlices) in.push_back(slice == of_poi);
  for (size_t s = 0; s < rows_.names().size(); ++s)
    in.push_back(rows_.Holds(s, row));
  if (sample_fraction_ > 0) in.push_back(InSample(row));
  return in;
}

bool MetricSlices::InSample(const Impression& row) const {
  return IsSampled(GroupKey(row.group), sample_fraction_);
}

}  // namespace larr::stage
