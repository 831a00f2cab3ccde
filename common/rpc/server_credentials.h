// SPDX-License-Identifier: Apache-2.0
//
// How a gRPC port is guarded: TLS whose files are followed, and roles that are
// checked for each call of every kind before a service sees it.
//
// Certificates are read again for each new connection, if their files changed.
// A new pair takes the old one's place only once it was checked, here and by
// gRPC; until then the old one serves. Connections that are open stay as they
// are.
#pragma once

#include <grpcpp/security/server_credentials.h>

#include <memory>

#include "absl/status/statusor.h"
#include "common/rpc/access.h"
#include "common/rpc/guard_metrics.h"
#include "larr/config/v1/server.pb.h"

namespace larr {

// Of one port. Without `tls` it speaks plain text; with `access` null, or
// open, no call is checked. Outlives the server; `access` and `metrics`, too.
// Errors: those of common/rpc/tls_files.h
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeServerCredentials(
    const config::v1::ServerConfig& config, const Access* access,
    GuardMetrics& metrics);

}  // namespace larr
