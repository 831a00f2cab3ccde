// SPDX-License-Identifier: Apache-2.0
//
// The dataset of an online test: the city's up to the first market day, by hard
// links, and from then on what happened in the market. Any stage could train on
// it.
//
// Threads:    one.
#pragma once

#include <filesystem>
#include <string>

#include "absl/status/status.h"
#include "tools/market/market.h"

namespace larr::market {

// Makes the dataset without market days, unless it is there.
absl::Status MakeDataset(const Market& market,
                         const std::filesystem::path& folder);

// Takes away what a day that was ended before its end left there.
absl::Status ForgetDay(const std::filesystem::path& folder,
                       const std::string& date);

// Users and POIs of the first market day must be the very ones of the city's
// own log: the market goes on from it, and not from another.
// Errors: kFailedPrecondition otherwise
absl::Status CheckSameCity(const Market& market,
                           const std::filesystem::path& folder);

}  // namespace larr::market
