// SPDX-License-Identifier: Apache-2.0
//
// What came of an online test (docs/online-test.md), as a report: the A/A test,
// the A/B test, the treatment's users against themselves, and every day.
//
// Threads:  pure functions.
#pragma once

#include <nlohmann/json.hpp>

#include "absl/status/statusor.h"
#include "tools/report/document.h"

namespace larr::experiment {

// Of market.json, whose keys are in tools/market/result.h.
// Errors: kDataLoss  it is not one
absl::StatusOr<report::Document> MakeOnlineTestReport(
    const nlohmann::ordered_json& market);

}  // namespace larr::experiment
