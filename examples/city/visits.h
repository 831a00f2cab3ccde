// SPDX-License-Identifier: Apache-2.0
//
// Who comes, in which moment, and which POIs could be shown there.
//
// Threads:    Draw() may be called concurrently; StartDay() may not.
#pragma once

#include <cstdint>
#include <vector>

#include "examples/city/moment.h"
#include "examples/city/platform.h"
#include "examples/city/random.h"

namespace larr::city {

struct Visit {
  int user = 0;
  Moment moment;
  std::vector<int> pois;  // Distinct, more popular ones earlier on average.
};

class Visits {
 public:
  // `platform` must outlive it.
  Visits(uint64_t seed, const Platform& platform);

  // From now on visits are of `day`, with the POIs that are open then.
  void StartDay(int day);

  // The `index`th of the `of_day` visits of the day, which come in the order
  // of their hours. At most `most_pois` POIs: fewer where a city has fewer.
  Visit Draw(int64_t index, int64_t of_day, int most_pois,
             Random& random) const;

 private:
  // POIs that can be drawn somewhere.
  struct Pool {
    std::vector<int> pois;
    WeightedTable table;
  };

  static Pool MakePool(const std::vector<Poi>& pois, std::vector<int> members);
  std::vector<int> DrawPois(int city, int district, int most,
                            Random& random) const;

  const uint64_t seed_;
  const Platform& platform_;
  const WeightedTable user_table_;
  int day_ = 0;
  std::vector<Pool> cities_;
  std::vector<std::vector<Pool>> districts_;  // By city and district.
};

}  // namespace larr::city
