// SPDX-License-Identifier: Apache-2.0
//
// What a request for resources may ask for: the id of a new one (AIP-122), and
// a page of a list (AIP-158).
//
// Threads: pure functions.
// Errors:  kInvalidArgument  names the field, its value and what is legal
#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace larr {

// Lower-case letters, digits and `-`, at most 63, the first one a letter or
// digit: what runs, models and aliases may be called.
bool IsValidId(std::string_view id);
absl::Status CheckId(std::string_view field, std::string_view id);

// The number of items to answer with: 50 for 0, at most 1000.
absl::StatusOr<int> PageSize(int requested);

}  // namespace larr
