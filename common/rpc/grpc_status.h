// SPDX-License-Identifier: Apache-2.0
//
// The one border between absl::Status and gRPC's. The codes are numerically
// equal; messages pass unchanged.
#pragma once

#include <grpcpp/support/status.h>

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace larr {

grpc::Status ToGrpc(const absl::Status& status);
absl::Status FromGrpc(const grpc::Status& status);

// Moves what a core answered into the response of a call; returns its status.
template <typename Message>
absl::Status Fill(absl::StatusOr<Message> answer, Message* response) {
  if (!answer.ok()) return answer.status();
  *response = *std::move(answer);
  return absl::OkStatus();
}

}  // namespace larr
