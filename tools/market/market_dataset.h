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
#include "absl/status/statusor.h"
#include "tools/market/market.h"

namespace larr::market {

// Makes the dataset without market days, unless it is there.
absl::Status MakeDataset(const Market& market,
                         const std::filesystem::path& folder);

// The dataset as a recommender learns from it on the morning of `day`, which is
// not the first one: rows up to two days before train, those of the day before
// validate, and there are none to test on. Returns its file.
absl::StatusOr<std::filesystem::path> WriteMorningSpec(
    const Market& market, const std::filesystem::path& folder, int day);

// Takes away what a day that was ended before its end left there.
absl::Status ForgetDay(const std::filesystem::path& folder,
                       const std::string& date);

// Users and POIs of the first market day must be the very ones of the city's
// own log: the market goes on from it, and not from another.
// Errors: kFailedPrecondition otherwise
absl::Status CheckSameCity(const Market& market,
                           const std::filesystem::path& folder);

}  // namespace larr::market
