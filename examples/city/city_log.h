// SPDX-License-Identifier: Apache-2.0
//
// The log of the city day by day, as the policy before any recommender filled
// it: POIs drawn by their popularity.
//
// Threads:    not safe; makes its rows on threads of its own.
#pragma once

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "examples/city/calendar.h"
#include "examples/city/impressions.h"
#include "examples/city/platform.h"

namespace larr::city {

// Requests on a day of `part`.
int64_t RequestsOfDay(const CityOptions& options, const Calendar& calendar,
                      Part part);

class CityLog {
 public:
  // `platform` must outlive the log.
  CityLog(const CityOptions& options, const Platform& platform)
      : options_(options),
        platform_(platform),
        maker_(options.seed, platform) {}

  // Calls `take` for each chunk of the next day, in the order of the log, until
  // it fails; returns its status.
  absl::Status NextDay(const std::function<absl::Status(Chunk)>& take);

  // Requests of the days so far.
  int64_t requests() const { return requests_; }

 private:
  const CityOptions options_;
  const Platform& platform_;
  ImpressionMaker maker_;
  int day_ = 0;
  int64_t requests_ = 0;
};

}  // namespace larr::city
