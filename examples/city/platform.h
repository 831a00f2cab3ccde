// SPDX-License-Identifier: Apache-2.0
//
// All of the city that is fixed before its first day: the world, the days, who
// lives there and what is sold. A function of the options and the days alone.
//
// Threads:    constant after construction.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "examples/city/calendar.h"
#include "examples/city/entities.h"
#include "examples/city/world.h"
#include "larr/config/v1/dataset.pb.h"

namespace larr::city {

struct CityOptions {
  uint64_t seed = 1;
  int pois = 0;
  int users = 0;
  int64_t impressions = 0;  // About so many rows, over all days.
  int threads = 1;
};

struct Platform {
  World world;
  Calendar calendar;
  std::vector<Poi> pois;
  std::vector<User> users;
};

// Errors: kInvalidArgument if an option is out of range.
absl::Status CheckOptions(const CityOptions& options);

// The platform whose days are those of `split`. `more_days` go on after its
// end: more test days of the very same city.
// Errors: kInvalidArgument if an option is out of range or a date is wrong.
absl::StatusOr<Platform> MakePlatform(const CityOptions& options,
                                      const config::v1::DateSplit& split,
                                      int more_days = 0);

}  // namespace larr::city
