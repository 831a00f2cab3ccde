// SPDX-License-Identifier: Apache-2.0
//
// The days of the city and the part of the split that each belongs to. The
// dates come from the dataset spec; six days of history go before.
//
// Threads:    constant after construction.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "larr/config/v1/dataset.pb.h"

namespace larr::city {

// The parts of the city's time, in their order.
enum Part { kHistory, kPairs, kTrain, kValidation, kTest, kPartCount };

// As `history`, `pairs`, `train`, `validation`, `test`.
std::string_view PartName(Part part);

struct Day {
  std::string date;  // YYYY-MM-DD
  Part part = kHistory;
  std::string weekday;  // e.g. `Monday`
  bool weekend = false;
  // True if the users' history texts are written anew at the start of this day.
  bool refreshes_history = false;
};

struct Calendar {
  std::vector<Day> days;
  std::array<int, kPartCount> first = {};   // Index of a part's first day.
  std::array<int, kPartCount> length = {};  // Days of a part.
};

// The test lasts `more_test_days` longer than the split says.
// Errors: kInvalidArgument if a date is wrong or the parts are out of order.
absl::StatusOr<Calendar> MakeCalendar(const config::v1::DateSplit& split,
                                      int more_test_days = 0);

}  // namespace larr::city
