// SPDX-License-Identifier: Apache-2.0
#include "examples/city/platform.h"

#include <utility>

#include "absl/status/status.h"
#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "examples/city/embedded.h"

namespace larr::city {

absl::Status CheckOptions(const CityOptions& options) {
  const auto check = [](const char* name, int64_t value, int64_t least,
                        int64_t most) {
    if (value >= least && value <= most) return absl::OkStatus();
    return Invalid("{} is {}: must be from {} to {}", name, value, least, most);
  };
  LARR_RETURN_IF_ERROR(check("pois", options.pois, 36, 1000000));
  LARR_RETURN_IF_ERROR(check("users", options.users, 1, 100000000));
  LARR_RETURN_IF_ERROR(
      check("impressions", options.impressions, 100, 100000000000));
  return check("threads", options.threads, 1, 1024);
}

absl::StatusOr<Platform> MakePlatform(const CityOptions& options,
                                      const config::v1::DateSplit& split,
                                      int more_days) {
  LARR_RETURN_IF_ERROR(CheckOptions(options));
  Platform platform;
  LARR_ASSIGN_OR_RETURN(platform.world, ParseWorld(kDishesCsv, kCitiesCsv));
  LARR_ASSIGN_OR_RETURN(platform.calendar, MakeCalendar(split));
  platform.pois =
      MakePois(options.seed, options.pois, platform.world, platform.calendar);
  platform.users = MakeUsers(options.seed, options.users, platform.world);
  if (more_days > 0) {
    LARR_ASSIGN_OR_RETURN(platform.calendar, MakeCalendar(split, more_days));
  }
  return platform;
}

}  // namespace larr::city
