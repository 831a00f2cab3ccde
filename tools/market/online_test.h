// SPDX-License-Identifier: Apache-2.0
//
// One online test: days of a market whose users are divided between two arms
// by the scoring service. A day is
//
//   tables      users and POIs as they stand that morning are written
//   refresh     the embedding service makes the day's snapshot
//   training    with MarketOptions::retrain, of both arms' models, on it; not
//               on the first day
//   switch      scoring moves to it, with both arms' models
//   requests    users come, are asked for, shown and drawn for one by one
//   counts      what happened becomes histories and counts of the next days
//
// A finished day is kept: a test that was ended goes on with the next one.
//
// Threads:    one.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/market/market.h"
#include "tools/market/measures.h"

namespace larr::market {

inline constexpr char kControl[] = "control";
inline constexpr char kTreatment[] = "treatment";

struct TestPlan {
  std::string name;  // `aa` or `ab`; of its folder, too.
  std::filesystem::path control_model;
  std::filesystem::path treatment_model;

  // Which users are in which arm. The same in both tests.
  static std::string Salt(const Market& market);
};

struct TestResult {
  TestSums sums;
  // By day: `date`, `texts_total`, `texts_encoded`, and for each arm
  // `missing` and `latency_ms`; with MarketOptions::retrain also `trained`, the
  // date whose training its model is of, or null for the given one.
  std::vector<Json> days;
};

// Errors: kCancelled          after an interrupt
//         kFailedPrecondition the dataset is of another version of the city
//         those of the services
absl::StatusOr<TestResult> RunOnlineTest(const Market& market,
                                         const TestPlan& plan);

}  // namespace larr::market
