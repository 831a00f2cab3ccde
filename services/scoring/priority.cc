// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/priority.h"

#include <string>

#include "common/rpc/grpc_status.h"

namespace larr {

absl::StatusOr<Priority> ParsePriority(std::string_view name) {
  if (name == "low") return Priority::kLow;
  if (name == "normal") return Priority::kNormal;
  if (name == "high") return Priority::kHigh;
  return InvalidField(std::string("metadata ") + kPriorityKey,
                      "set it to low, normal or high, or leave it out");
}

}  // namespace larr
