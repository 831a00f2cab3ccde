// SPDX-License-Identifier: Apache-2.0
//
// Writes the city: day by day the partitions of users and POIs from what was
// counted on earlier days, then the day's impressions, streamed.
//
// Memory:     grows with users and POIs, not with impressions.
// Threads:    `CityOptions.threads` make impressions; the bytes that are
//             written do not depend on it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "examples/city/platform.h"

namespace larr::city {

// The sizes that have a name: `tiny` (for tests), `demo`, `experiment`,
// `scale`.
const std::map<std::string, CityOptions>& CitySizes();

// Called after each day with its date and the rows written so far; what is not
// OK ends the work.
using OnDay =
    std::function<absl::Status(const std::string& date, int64_t rows)>;

// Writes the dataset into the folder `out`: `users`, `pois`, `impressions`,
// `dataset.textproto` and `city.json`. Written aside and renamed, so that
// `out` is whole if it is there. A whole one of the same options is kept.
//
// Errors: kInvalidArgument    an option is out of range
//         kFailedPrecondition `out` holds something else
//         kUnavailable        a file could not be written
//         those of `on_day`
absl::Status GenerateCity(const CityOptions& options,
                          const std::filesystem::path& out,
                          const OnDay& on_day);

}  // namespace larr::city
