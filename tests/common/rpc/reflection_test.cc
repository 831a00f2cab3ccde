// SPDX-License-Identifier: Apache-2.0
//
// What a server tells a client that has no .proto files.
#include <google/protobuf/unknown_field_set.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>

#include <catch2/catch.hpp>
#include <set>

#include "common/rpc/grpc_server.h"
#include "larr/scoring/v1/scoring_service.grpc.pb.h"

namespace larr {
namespace {

using google::protobuf::UnknownFieldSet;

constexpr char kMethod[] =
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
// Debian's gRPC has the service but not its messages. The numbers of fields:
constexpr int kListServicesResponse = 6, kService = 1, kName = 1;
const std::string kListServices("\x3a\x00", 2);  // 7, empty

// The contents of each field `number`.
std::vector<std::string> Fields(const std::string& message, int number) {
  UnknownFieldSet fields;
  REQUIRE(fields.ParseFromString(message));
  std::vector<std::string> contents;
  for (int i = 0; i < fields.field_count(); ++i) {
    if (fields.field(i).number() == number) {
      contents.push_back(fields.field(i).length_delimited());
    }
  }
  return contents;
}

// One message there, one back.
std::string Ask(const std::string& address, const std::string& question) {
  grpc::GenericStub stub(
      grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(10));
  grpc::CompletionQueue queue;
  const auto done = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  const auto stream = stub.PrepareCall(&context, kMethod, &queue);
  stream->StartCall(nullptr);
  REQUIRE(done());
  const grpc::Slice bytes(question);
  stream->WriteLast(grpc::ByteBuffer(&bytes, 1), grpc::WriteOptions(), nullptr);
  REQUIRE(done());
  grpc::ByteBuffer buffer;
  stream->Read(&buffer, nullptr);
  const bool answered = done();
  grpc::Status status;
  stream->Finish(&status, nullptr);
  REQUIRE(done());
  INFO(status.error_message());
  REQUIRE(answered);
  std::vector<grpc::Slice> slices;
  REQUIRE(buffer.Dump(&slices).ok());
  std::string answer;
  for (const grpc::Slice& slice : slices) {
    answer.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return answer;
}

TEST_CASE("A server's services can be listed by reflection", "[rpc]") {
  scoring::v1::ScoringService::Service service;
  config::v1::ServerConfig config;
  config.set_listen("127.0.0.1:0");
  const auto server = GrpcServer::Start(config, {.services = {&service}});
  REQUIRE(server.ok());
  const auto lists =
      Fields(Ask((*server)->address(), kListServices), kListServicesResponse);
  REQUIRE(lists.size() == 1);
  std::set<std::string> names;
  for (const std::string& item : Fields(lists[0], kService)) {
    for (const std::string& name : Fields(item, kName)) names.insert(name);
  }
  CHECK(names.contains("larr.scoring.v1.ScoringService"));
  CHECK(names.contains("grpc.health.v1.Health"));
}

}  // namespace
}  // namespace larr
