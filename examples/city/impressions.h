// SPDX-License-Identifier: Apache-2.0
//
// The log of the city: which POIs a request was shown, and what the user did.
// Each request is a function of (seed, its id), so chunks can be made in any
// order.
//
// Threads:    Make() may be called concurrently; StartDay() may not.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "examples/city/hidden_model.h"
#include "examples/city/platform.h"
#include "examples/city/statistics.h"
#include "examples/city/tables.h"
#include "examples/city/visits.h"

namespace larr::city {

// Fewer where a city has fewer POIs.
constexpr int kImpressionsPerRequest = 10;

// Requests [begin, end) of the `of_day` requests of a day; their ids count up
// from `first_id`.
struct RequestRange {
  int64_t first_id = 0;
  int64_t begin = 0;
  int64_t end = 0;
  int64_t of_day = 0;
};

// Rows, in the order of requests and positions.
struct Chunk {
  EncodedColumns columns;
  std::vector<Event> events;
  std::vector<TrueProbabilities> truth;
};

class ImpressionMaker {
 public:
  // `platform` must outlive the maker.
  ImpressionMaker(uint64_t seed, const Platform& platform);

  // From now on requests are made on `day`, from the POIs that are open then.
  void StartDay(int day);

  // Requests come in the order of their hours.
  absl::StatusOr<Chunk> Make(const RequestRange& range) const;

 private:
  const uint64_t seed_;
  const Platform& platform_;
  Visits visits_;
  int day_ = 0;
};

}  // namespace larr::city
