// SPDX-License-Identifier: Apache-2.0
//
// Resource names as people type them: `demo` for `trainingRuns/demo`.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace larr::ctl {

// `demo` or `trainingRuns/demo` -> `trainingRuns/demo`. Likewise for
// `refreshJobs` and `models`.
std::string FullName(std::string_view collection, std::string_view name);

// A request that says no more than which resource it is about.
template <typename Request>
Request Named(std::string_view collection, std::string_view name) {
  Request request;
  request.set_name(FullName(collection, name));
  return request;
}

// `city/3` or `models/city/versions/3` -> the latter.
// Errors: kInvalidArgument for anything else.
absl::StatusOr<std::string> FullVersionName(std::string_view name);

}  // namespace larr::ctl
