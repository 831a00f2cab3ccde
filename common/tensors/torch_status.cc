// SPDX-License-Identifier: Apache-2.0
#include "common/tensors/torch_status.h"

#include <fmt/format.h>

#include <string>

namespace larr {

absl::Status TorchErrorToStatus(std::string_view what,
                                const c10::Error& error) {
  std::string cause = error.what_without_backtrace();
  cause = cause.substr(0, cause.find('\n'));
  const bool memory = cause.find("alloc") != std::string::npos ||
                      cause.find("out of memory") != std::string::npos;
  return absl::Status(memory ? absl::StatusCode::kResourceExhausted
                             : absl::StatusCode::kInternal,
                      fmt::format("{}: {}", what, cause));
}

}  // namespace larr
