// SPDX-License-Identifier: Apache-2.0
//
// Asks a gRPC server's health service whether it takes calls.
//
// Errors: kUnavailable       it does not answer, or is draining
//         kDeadlineExceeded  no answer in time
//         others             as the server gave them
#pragma once

#include <chrono>
#include <string>

#include "absl/status/status.h"

namespace larr {

absl::Status CheckHealth(const std::string& address,
                         std::chrono::milliseconds timeout);

}  // namespace larr
