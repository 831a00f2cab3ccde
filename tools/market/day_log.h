// SPDX-License-Identifier: Apache-2.0
//
// The log of a market day: two tables, written while the day goes on, and read
// back for statistics and results, so that a market which was ended and goes on
// knows neither more nor less than one that was not.
//
//   dataset/impressions/date=D  what was shown, in the schema of the city's log
//   requests/date=D             request_id, user_id, arm; best_clicks and
//                               random_clicks: see oracle.h
//
// Threads:    one.
// Errors:     kUnavailable  a file cannot be written
//             kDataLoss     a file is not what this market wrote
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "examples/city/impression_rows.h"
#include "examples/city/tables.h"
#include "tools/market/market.h"
#include "tools/market/oracle.h"

namespace larr::market {

struct ServedRequest {
  int64_t id = 0;
  int user = 0;
  std::string arm;
  Bounds bounds;
  std::vector<city::Shown> shown;  // By position.
};

// What comes of showing a POI: a function of the request and the POI alone, so
// that all who show it in that moment see the same.
city::Event EventOf(const Market& market, int64_t request, int user, int poi,
                    const city::TrueProbabilities& truth);

class DayWriter {
 public:
  // Both tables are written aside, below `folder`.
  static absl::StatusOr<DayWriter> Create(const Market& market,
                                          const std::filesystem::path& folder,
                                          int day);

  // `moment`: of city::MomentColumns().
  absl::Status Add(const city::Columns& moment, const ServedRequest& request);

  // Moves both tables to their places.
  absl::Status Finish();

 private:
  DayWriter(const Market& market, const std::filesystem::path& folder,
            const std::string& date, city::TableWriter impressions,
            city::TableWriter requests);
  absl::Status Flush();

  const Market& market_;
  const std::filesystem::path folder_;
  const std::string partition_;  // `date=D`
  city::TableWriter impressions_, requests_;
  city::ImpressionRows rows_;
  city::Integers request_id_;
  city::Strings user_id_, arm_;
  city::Numbers best_, random_;
};

absl::StatusOr<std::vector<ServedRequest>> ReadDay(
    const Market& market, const std::filesystem::path& folder, int day);

}  // namespace larr::market
