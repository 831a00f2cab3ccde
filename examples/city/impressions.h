// SPDX-License-Identifier: Apache-2.0
//
// Makes impressions: which POIs a request shows, and what the user does. Each
// request is a function of (seed, its id), so chunks can be made in any order.
//
// Threads:    Make() may be called concurrently; StartDay() may not.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "examples/city/calendar.h"
#include "examples/city/entities.h"
#include "examples/city/hidden_model.h"
#include "examples/city/random.h"
#include "examples/city/statistics.h"
#include "examples/city/tables.h"
#include "examples/city/world.h"

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
  // All of them must outlive the maker.
  ImpressionMaker(uint64_t seed, const World& world, const Calendar& calendar,
                  const std::vector<Poi>& pois, const std::vector<User>& users);

  // From now on requests are made on `day`, from the POIs that are open then.
  void StartDay(int day);

  // Requests come in the order of their hours.
  absl::StatusOr<Chunk> Make(const RequestRange& range) const;

 private:
  // POIs that can be drawn somewhere.
  struct Pool {
    std::vector<int> pois;
    WeightedTable table;
  };

  static Pool MakePool(const std::vector<Poi>& pois, std::vector<int> members);
  std::vector<int> DrawPois(int city, int district, Random& random) const;

  const uint64_t seed_;
  const World& world_;
  const Calendar& calendar_;
  const std::vector<Poi>& pois_;
  const std::vector<User>& users_;
  const WeightedTable user_table_;
  int day_ = 0;
  std::vector<Pool> cities_;
  std::vector<std::vector<Pool>> districts_;  // By city and district.
};

}  // namespace larr::city
