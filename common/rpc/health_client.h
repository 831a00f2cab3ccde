// SPDX-License-Identifier: Apache-2.0
//
// Asks a gRPC server's health service whether it takes calls.
//
// Errors: kUnavailable       it does not answer, is not ready yet or is
//                            draining
//         kDeadlineExceeded  no answer in time
//         kNotFound          it knows no such name
//         others             as the server gave them
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "common/rpc/client_security.h"

namespace larr {

// `name` is a service's full name, kLivenessName, or empty: the server as a
// whole. REQUIRES: name.size() < 128
absl::Status CheckHealth(const std::string& address,
                         std::chrono::milliseconds timeout,
                         std::string_view name = "",
                         const ClientSecurity& security = {});

}  // namespace larr
