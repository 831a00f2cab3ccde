// SPDX-License-Identifier: Apache-2.0
//
// The one border between absl::Status and gRPC's. The codes are numerically
// equal; messages pass unchanged.
#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace larr {

grpc::Status ToGrpc(const absl::Status& status);
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace larr
