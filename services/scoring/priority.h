// SPDX-License-Identifier: Apache-2.0
//
// How important a call is, as its caller said in the request metadata
// `larr-priority`: under overload the less important are refused first.
#pragma once

#include <cstddef>
#include <string_view>

#include "absl/status/statusor.h"

namespace larr {

inline constexpr char kPriorityKey[] = "larr-priority";

enum class Priority { kLow, kNormal, kHigh };
inline constexpr size_t kPriorities = 3;

// Errors: kInvalidArgument  neither `low`, `normal` nor `high`
absl::StatusOr<Priority> ParsePriority(std::string_view name);

}  // namespace larr
