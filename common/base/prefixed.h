// SPDX-License-Identifier: Apache-2.0
//
// An error with what it is about put before its message: `<what>: <message>`.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace larr {

// REQUIRES: !status.ok()
inline absl::Status Prefixed(std::string_view what,
                             const absl::Status& status) {
  return {status.code(),
          fmt::format("{}: {}", what, std::string(status.message()))};
}

}  // namespace larr
