// SPDX-License-Identifier: Apache-2.0
//
// The daily partitions of users and POIs: what was known at a day's start.
//
// Threads:    not safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "examples/city/calendar.h"
#include "examples/city/entities.h"
#include "examples/city/statistics.h"
#include "examples/city/texts.h"
#include "examples/city/world.h"

namespace larr::city {

class EntityPartitions {
 public:
  // All of them must outlive the partitions.
  EntityPartitions(uint64_t seed, const World& world, const Calendar& calendar,
                   const std::vector<Poi>& pois,
                   const std::vector<User>& users);

  // Writes the partitions of `day`. `statistics` must hold exactly the events
  // of earlier days, and days must come in order: the users' history texts
  // are kept from day to day and written anew every few days only.
  absl::Status Write(const std::filesystem::path& folder, int day,
                     const Statistics& statistics);

 private:
  absl::Status WritePois(const std::filesystem::path& folder, int day,
                         const Statistics& statistics) const;
  absl::Status WriteUsers(const std::filesystem::path& folder, int day,
                          const Statistics& statistics) const;

  const World& world_;
  const Calendar& calendar_;
  const std::vector<Poi>& pois_;
  const std::vector<User>& users_;
  std::vector<PoiTexts> poi_texts_;
  std::vector<std::optional<std::string>> histories_;  // By user.
};

}  // namespace larr::city
