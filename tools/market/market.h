// SPDX-License-Identifier: Apache-2.0
//
// The simulated city as a market: everything that an online test begins with.
// The city's log is lived through again up to the first test day, so that the
// market goes on from the same counts and histories.
//
// Threads:    constant after construction.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <unordered_map>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/features/row.h"
#include "examples/city/partitions.h"
#include "examples/city/platform.h"
#include "examples/city/statistics.h"
#include "larr/config/v1/dataset.pb.h"

namespace larr::market {

using Json = nlohmann::ordered_json;

// POIs of a list: positions 0 to 9, as in the city's log.
inline constexpr int kShown = 10;

struct MarketOptions {
  std::filesystem::path out;       // All that is made. May be there: goes on.
  std::filesystem::path dataset;   // Folder that larr_city wrote.
  std::filesystem::path ple;       // The control's model.
  std::filesystem::path larr;      // The treatment's model.
  std::filesystem::path embedder;  // Checkpoint that made the snapshot.
  std::filesystem::path snapshot;  // What the first refresh starts from.
  int days = 7;
  int64_t requests = 0;  // A day. 0: as many as on a training day of the log.
  int candidates = 50;   // Most POIs of a request.
  uint64_t seed = 1;     // Of visits and of what comes of them.
  bool retrain = false;  // Models are trained anew every morning.
};

class Market {
 public:
  // Errors: kInvalidArgument    an option is out of range
  //         kFailedPrecondition `dataset` is not of larr_city, or `out` holds
  //                             a market of other settings
  static absl::StatusOr<std::unique_ptr<const Market>> Open(
      const MarketOptions& options);

  const MarketOptions& options() const { return options_; }
  int64_t requests() const { return options_.requests; }
  const city::Platform& platform() const { return platform_; }
  uint64_t city_seed() const { return city_.seed; }
  const config::v1::DatasetSpec& spec() const { return spec_; }
  const SpecSchemas& schemas() const { return schemas_; }

  // Index of the first market day in the platform's calendar.
  int first_day() const { return platform_.calendar.first[city::kTest]; }
  // Id of the first request of `day`: ids go on from the log's.
  int64_t FirstRequest(int day) const {
    return logged_requests_ + (day - first_day()) * requests();
  }
  const std::string& Date(int day) const {
    return platform_.calendar.days[day].date;
  }

  // As they stand before the first market day; to be copied.
  const city::Statistics& statistics() const { return *statistics_; }
  const city::EntityPartitions& entities() const { return *entities_; }

  // -1 if there is none of that id.
  int FindUser(std::string_view id) const { return Find(users_, id); }
  int FindPoi(std::string_view id) const { return Find(pois_, id); }

  // What makes a result another one.
  const Json& settings() const { return settings_; }

 private:
  using Index = std::unordered_map<std::string, int>;

  Market(MarketOptions options, city::CityOptions city,
         config::v1::DatasetSpec spec, city::Platform platform);
  static int Find(const Index& index, std::string_view id);
  absl::Status LiveThroughLog();
  absl::Status CheckSettings();

  MarketOptions options_;
  const city::CityOptions city_;
  const config::v1::DatasetSpec spec_;
  const SpecSchemas schemas_;
  const city::Platform platform_;
  int64_t logged_requests_ = 0;
  std::unique_ptr<city::Statistics> statistics_;
  std::unique_ptr<city::EntityPartitions> entities_;
  Index users_, pois_;
  Json settings_;
};

}  // namespace larr::market
