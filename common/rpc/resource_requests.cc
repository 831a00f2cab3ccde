// SPDX-License-Identifier: Apache-2.0
#include "common/rpc/resource_requests.h"

#include <algorithm>

#include "common/base/invalid_argument.h"
#include "common/base/lower_case_name.h"

namespace larr {
namespace {

constexpr size_t kMostIdCharacters = 63;
constexpr int kDefaultPageSize = 50;
constexpr int kMaxPageSize = 1000;

}  // namespace

bool IsValidId(std::string_view id) {
  return IsLowerCaseName(id) && id.size() <= kMostIdCharacters &&
         id.front() != '-';
}

absl::Status CheckId(std::string_view field, std::string_view id) {
  if (IsValidId(id)) return absl::OkStatus();
  return Invalid(
      "`{}` is `{}`; use lower-case letters, digits and `-`, at most {}", field,
      id, kMostIdCharacters);
}

absl::StatusOr<int> PageSize(int requested) {
  if (requested < 0)
    return Invalid("`page_size` is {}; it must not be negative", requested);
  return requested == 0 ? kDefaultPageSize : std::min(requested, kMaxPageSize);
}

}  // namespace larr
