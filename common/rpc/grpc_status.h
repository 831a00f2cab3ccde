// SPDX-License-Identifier: Apache-2.0
//
// The one border between absl::Status and gRPC's. The codes are numerically
// equal; messages pass unchanged.
//
// Details are messages of google.rpc, as AIP-193 has them: payloads of an
// absl::Status under their type URLs, and a google.rpc.Status in the trailing
// metadata `grpc-status-details-bin` of a call.
#pragma once

#include <grpcpp/support/status.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/cord.h"

namespace larr {

grpc::Status ToGrpc(const absl::Status& status);
// Details that do not parse are left out.
absl::Status FromGrpc(const grpc::Status& status);

// kInvalidArgument with the message `path: description`, and both in a
// google.rpc.BadRequest. What is too long for the metadata of a call, which
// hold some KiB, is cut.
// `path`: of a field of the request, e.g. `candidates[3].values["distance"]`.
absl::Status InvalidField(std::string_view path, std::string_view description);

// The path that stands for all of a request, e.g. one that is too large.
inline constexpr char kWholeRequest[] = "request";

// Adds a google.rpc.RetryInfo: the call may succeed after `delay`.
absl::Status WithRetryDelay(absl::Status status,
                            std::chrono::nanoseconds delay);

// The type URL of a detail.
template <typename Message>
std::string DetailUrl() {
  return "type.googleapis.com/" + Message::descriptor()->full_name();
}

// The detail of one type, e.g. google::rpc::BadRequest, if there is one.
template <typename Message>
std::optional<Message> DetailOf(const absl::Status& status) {
  const auto payload = status.GetPayload(DetailUrl<Message>());
  Message message;
  if (!payload || !message.ParseFromString(std::string(*payload))) return {};
  return message;
}

// Moves what a core answered into the response of a call; returns its status.
template <typename Message>
absl::Status Fill(absl::StatusOr<Message> answer, Message* response) {
  if (!answer.ok()) return answer.status();
  *response = *std::move(answer);
  return absl::OkStatus();
}

}  // namespace larr
