// SPDX-License-Identifier: Apache-2.0
#include "common/rpc/health_client.h"

#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <catch2/catch.hpp>

#include "common/rpc/grpc_server.h"

namespace larr {
namespace {

using std::chrono::milliseconds;

TEST_CASE("A server of ours is healthy until it drains", "[rpc]") {
  config::v1::ServerConfig config;
  config.set_listen("127.0.0.1:0");
  const auto server = GrpcServer::Start(config, {});
  REQUIRE(server.ok());
  const std::string address = (*server)->address();
  CHECK(CheckHealth(address, milliseconds(5000)).ok());
  (*server)->Drain();
  CHECK(absl::IsUnavailable(CheckHealth(address, milliseconds(5000))));
}

TEST_CASE("A server that says NOT_SERVING is not healthy", "[rpc]") {
  grpc::EnableDefaultHealthCheckService(true);
  int port = 0;
  const auto server =
      grpc::ServerBuilder()
          .AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                            &port)
          .BuildAndStart();
  const std::string address = "127.0.0.1:" + std::to_string(port);
  CHECK(CheckHealth(address, milliseconds(5000)).ok());
  server->GetHealthCheckService()->SetServingStatus(false);
  CHECK(absl::IsUnavailable(CheckHealth(address, milliseconds(5000))));
}

}  // namespace
}  // namespace larr
