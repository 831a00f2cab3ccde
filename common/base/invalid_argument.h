// SPDX-License-Identifier: Apache-2.0
//
// A kInvalidArgument status with a formatted message, for checkers that refuse
// many things.
#pragma once

#include <fmt/format.h>

#include <utility>

#include "absl/status/status.h"

namespace larr {

template <typename... Args>
absl::Status Invalid(fmt::format_string<Args...> format, Args&&... args) {
  return absl::InvalidArgumentError(
      fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace larr
