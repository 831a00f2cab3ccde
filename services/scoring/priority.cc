// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/priority.h"

#include <fmt/format.h>

#include "absl/status/status.h"

namespace larr {

absl::StatusOr<Priority> ParsePriority(std::string_view name) {
  if (name == "low") return Priority::kLow;
  if (name == "normal") return Priority::kNormal;
  if (name == "high") return Priority::kHigh;
  return absl::InvalidArgumentError(
      fmt::format("metadata {}: set it to low, normal or high, or leave it out",
                  kPriorityKey));
}

}  // namespace larr
