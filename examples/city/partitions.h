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
#include "examples/city/platform.h"
#include "examples/city/statistics.h"
#include "examples/city/texts.h"

namespace larr::city {

class EntityPartitions {
 public:
  // `platform` must outlive the partitions.
  EntityPartitions(uint64_t seed, const Platform& platform);

  // Begins `day`. `statistics` must hold exactly the events of earlier days,
  // and days must come in order: the users' history texts are kept from day to
  // day and written anew every few days only.
  void StartDay(int day, const Statistics& statistics);

  // Writes the partitions of the day that began last, of the same statistics.
  absl::Status Write(const std::filesystem::path& folder,
                     const Statistics& statistics) const;

 private:
  absl::Status WritePois(const std::filesystem::path& folder,
                         const Statistics& statistics) const;
  absl::Status WriteUsers(const std::filesystem::path& folder,
                          const Statistics& statistics) const;

  const Platform& platform_;
  int day_ = 0;
  std::vector<PoiTexts> poi_texts_;
  std::vector<std::optional<std::string>> histories_;  // By user.
};

}  // namespace larr::city
