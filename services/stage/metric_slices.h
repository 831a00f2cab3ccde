// SPDX-License-Identifier: Apache-2.0
//
// All slices of metrics.json: POIs by how often training rows showed them, the
// dataset's own, and the sample of groups.
//
// Threads: const access is safe from any thread.
#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <string>
#include <vector>

#include "common/dataset/impression_stream.h"
#include "common/dataset/row_slices.h"
#include "services/stage/poi_slices.h"

namespace larr::stage {

inline constexpr char kSampleSlice[] = "sample";

class MetricSlices {
 public:
  // A sample only where the fraction is positive. Errors: those of PoiSlices
  static absl::StatusOr<MetricSlices> Learn(const Dataset& dataset,
                                            double sample_fraction);

  // `cold`, `rare`, `frequent`, the dataset's in the order of its spec,
  // `sample`.
  const std::vector<std::string>& names() const { return names_; }
  // By name. REQUIRES: a row of a stream with `slice_columns`
  std::vector<bool> Of(const Impression& row) const;
  bool InSample(const Impression& row) const;

  const PoiSlices& pois() const { return pois_; }

 private:
  MetricSlices(PoiSlices pois, RowSlices rows, double sample_fraction);

  PoiSlices pois_;
  RowSlices rows_;
  double sample_fraction_;
  std::vector<std::string> names_;
};

}  // namespace larr::stage
