// SPDX-License-Identifier: Apache-2.0
//
// Messages from and to the bytes of a call, for services that read a request
// themselves (gRPC's raw methods).
//
// Threads: safe.
#pragma once

#include <google/protobuf/message.h>
#include <grpcpp/support/byte_buffer.h>

#include "absl/status/status.h"

namespace larr {

// Errors: those of InvalidField, about kWholeRequest: the bytes are no such
//         message, or a string of them is not UTF-8
absl::Status ParseMessage(const grpc::ByteBuffer& bytes,
                          google::protobuf::Message& message);

// Errors: kInternal  the message is too large for gRPC
absl::Status SerializeMessage(const google::protobuf::Message& message,
                              grpc::ByteBuffer& bytes);

}  // namespace larr
