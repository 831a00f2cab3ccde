// SPDX-License-Identifier: Apache-2.0
//
// The rows of the table of impressions while they grow.
//
// Threads:    one.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "examples/city/hidden_model.h"
#include "examples/city/moment.h"
#include "examples/city/platform.h"
#include "examples/city/statistics.h"
#include "examples/city/tables.h"

namespace larr::city {

// A POI that was shown, and what came of it.
struct Shown {
  int64_t request_id = 0;
  int position = 0;     // From 0.
  double distance = 0;  // Kilometres.
  TrueProbabilities truth;
  Event event;
};

// The columns that say what is known of a moment, each with its one value.
Columns MomentColumns(const World& world, const Day& day, const Moment& moment);

class ImpressionRows {
 public:
  // `platform` must outlive the rows.
  explicit ImpressionRows(const Platform& platform) : platform_(platform) {}

  // `moment`: of MomentColumns(), of the same day.
  void Add(const Columns& moment, const Shown& shown);

  // The rows so far; none are left.
  absl::StatusOr<EncodedColumns> Take();

 private:
  const Platform& platform_;
  Integers request_id_, position_, click_, order_;
  Strings user_id_, poi_id_;
  Columns moments_;
  Numbers distance_, true_ctr_, true_ctcvr_;
};

}  // namespace larr::city
