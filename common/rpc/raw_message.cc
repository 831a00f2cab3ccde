// SPDX-License-Identifier: Apache-2.0
#include "common/rpc/raw_message.h"

#include <fmt/format.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/proto_buffer_reader.h>
#include <grpcpp/support/proto_buffer_writer.h>

#include "common/rpc/grpc_status.h"

namespace larr {

absl::Status ParseMessage(const grpc::ByteBuffer& bytes,
                          google::protobuf::Message& message) {
  grpc::ByteBuffer shared(bytes);  // shares the bytes; the reader lets it go
  grpc::ProtoBufferReader reader(&shared);
  if (!reader.status().ok()) return FromGrpc(reader.status());
  if (message.ParseFromZeroCopyStream(&reader)) return absl::OkStatus();
  return InvalidField(
      kWholeRequest,
      fmt::format(
          "the {} bytes are not a {} with UTF-8 strings; encode them by its "
          ".proto",
          bytes.Length(), message.GetTypeName()));
}

absl::Status SerializeMessage(const google::protobuf::Message& message,
                              grpc::ByteBuffer& bytes) {
  bool own_buffer = false;
  return FromGrpc(grpc::GenericSerialize<grpc::ProtoBufferWriter,
                                         google::protobuf::Message>(
      message, &bytes, &own_buffer));
}

}  // namespace larr
