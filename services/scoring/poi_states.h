// SPDX-License-Identifier: Apache-2.0
//
// The POIs of a bundle, prepared: read from its snapshot, encoded and turned
// into the scorer's states where they were not yet.
//
// Ownership:  borrows scorer and encoder, which outlive it.
// Threads:    safe. Two requests that miss the same POI both prepare it.
// Errors:     those of Snapshot's reads and of Scorer.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/stop_check.h"
#include "common/ctr/scorer.h"
#include "services/scoring/poi_cache.h"
#include "services/scoring/request_encoder.h"

namespace larr {

class PoiStates {
 public:
  using Pois = std::vector<std::shared_ptr<const PreparedPoi>>;

  struct Found {
    Pois pois;         // One for each id, in their order.
    int prepared = 0;  // Those that were not there yet.
  };

  // `cache_bytes`: see PoiCache.
  static absl::StatusOr<std::unique_ptr<PoiStates>> Create(
      const Scorer& scorer, const RequestEncoder& encoder, size_t cache_bytes);

  // Unknown ids share one POI.
  absl::StatusOr<Found> Get(std::span<const std::string_view> ids);

  // Prepares POIs ahead of requests.
  // Errors: kCancelled  `stop` said so
  absl::Status Warm(const std::vector<std::string>& ids,
                    const StopCheck& stop = {});

  // Prepares POIs and keeps none. `texts` as in RequestEncoder::EncodePois.
  absl::StatusOr<Pois> Prepare(
      std::span<const std::string_view> ids,
      std::span<const TextMap* const> texts = {}) const;

  const PoiCache& cache() const { return cache_; }

 private:
  PoiStates(const Scorer& scorer, const RequestEncoder& encoder,
            size_t cache_bytes);

  const Scorer& scorer_;
  const RequestEncoder& encoder_;
  PoiCache cache_;
  std::shared_ptr<const PreparedPoi> unknown_;
};

}  // namespace larr
