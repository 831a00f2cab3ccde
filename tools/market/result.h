// SPDX-License-Identifier: Apache-2.0
//
// What came of the two tests, as JSON: market.json. Equal markets give equal
// JSON but for `latency_ms`.
//
//   settings             seed, days, requests_per_day, candidates, city,
//                        retrain, ...
//   aa, ab               the tests: both arms PLE; PLE against LARR
//     days[]             by day and arm: sums of measures.h, users, missing
//                        counts, latency, with nightly training the morning
//                        of the model (`trained`); texts that the refresh
//                        encoded
//     metrics            over all days, by metric: control, treatment, lift (or
//                        difference) and its interval
//     by_day[]           the same for each day
//     latency_ms         by arm: median over days of p50 and p99
//     users              by arm: how many came
//   aa.salts             how often other divisions of the users would have
//                        shown a difference that is none
//   ab.against_aa        each arm's users against themselves in the other test,
//                        where all had PLE: same requests, same luck; by arm
//                        `metrics` and `by_day[]` as above
//
// Threads:    safe; all functions are pure.
#pragma once

#include "absl/status/statusor.h"
#include "tools/market/market.h"
#include "tools/market/online_test.h"

namespace larr::market {

// Errors: kDataLoss if the tests had not the same requests
absl::StatusOr<Json> MakeResult(const Market& market, const TestResult& aa,
                                const TestResult& ab);

}  // namespace larr::market
