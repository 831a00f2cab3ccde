// SPDX-License-Identifier: Apache-2.0
//
// What clients may cost a server, as settings of gRPC: clients that are gone or
// silent are found and closed, connections and calls are bounded in number,
// size and memory. Defaults are in config/v1/server.proto.
#pragma once

#include <grpcpp/server_builder.h>

#include <chrono>

#include "absl/status/status.h"
#include "larr/config/v1/server.pb.h"

namespace larr {

// How long calls in flight may go on where the server, or their connection,
// ends.
std::chrono::seconds DrainTime(const config::v1::ServerConfig& config);

// Largest message that gRPC reads.
int MaxMessageBytes(const config::v1::ServerConfig& config);

// Errors: kInvalidArgument  names the setting that is negative
absl::Status CheckLimits(const config::v1::ServerConfig& config);

// REQUIRES: CheckLimits
void ApplyLimits(const config::v1::ServerConfig& config,
                 grpc::ServerBuilder& builder);

}  // namespace larr
