// SPDX-License-Identifier: Apache-2.0
#include "common/rpc/health_client.h"

#include <fmt/format.h>
#include <grpcpp/generic/generic_stub.h>

#include <vector>

#include "common/base/status_macros.h"
#include "common/rpc/grpc_status.h"

namespace larr {
namespace {

// Debian's gRPC has the health service but not its messages: a request whose
// field 1 is the name, and the answer whose field 1, the state, is SERVING.
constexpr char kMethod[] = "/grpc.health.v1.Health/Check";
constexpr std::string_view kServing = "\x08\x01";

std::string RequestFor(std::string_view name) {
  if (name.empty()) return "";
  return fmt::format("\x0a{}{}", static_cast<char>(name.size()), name);
}

absl::StatusOr<std::string> Call(const std::string& address,
                                 std::chrono::milliseconds timeout,
                                 std::string_view name,
                                 const ClientSecurity& security) {
  LARR_ASSIGN_OR_RETURN(const auto channel, Dial(address, security));
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + timeout);
  grpc::CompletionQueue queue;
  const grpc::Slice bytes_asked(RequestFor(name));
  const grpc::ByteBuffer request(&bytes_asked, 1);
  const auto call = stub.PrepareUnaryCall(&context, kMethod, request, &queue);
  call->StartCall();
  grpc::ByteBuffer answer;
  grpc::Status status;
  call->Finish(&answer, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  LARR_RETURN_IF_ERROR(FromGrpc(status));
  std::vector<grpc::Slice> slices;
  LARR_RETURN_IF_ERROR(FromGrpc(answer.Dump(&slices)));
  std::string bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

}  // namespace

absl::Status CheckHealth(const std::string& address,
                         std::chrono::milliseconds timeout,
                         std::string_view name,
                         const ClientSecurity& security) {
  LARR_ASSIGN_OR_RETURN(const std::string answer,
                        Call(address, timeout, name, security));
  if (answer == kServing) return absl::OkStatus();
  return absl::UnavailableError(
      fmt::format("{} is up but takes no calls now", address));
}

}  // namespace larr
