// SPDX-License-Identifier: Apache-2.0
#include "common/rpc/grpc_server.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/health_check_service_interface.h>
#include <signal.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <future>
#include <thread>

#include "common/base/files.h"
#include "common/rpc/grpc_status.h"
#include "common/rpc/health_client.h"
#include "common/rpc/shutdown_signal.h"
#include "larr/scoring/v1/scoring_service.grpc.pb.h"
#include "tests/testing/program.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using scoring::v1::GetServingStateRequest;
using scoring::v1::ScoringService;
using scoring::v1::ServingState;

class SomeService : public ScoringService::Service {
 public:
  grpc::Status GetServingState(grpc::ServerContext*,
                               const GetServingStateRequest*,
                               ServingState* state) override {
    state->set_snapshot("s");
    return grpc::Status::OK;
  }
};

// Holds up the first call until `go`; answers the others at once.
class HeldService : public SomeService {
 public:
  grpc::Status GetServingState(grpc::ServerContext* context,
                               const GetServingStateRequest* request,
                               ServingState* state) override {
    if (!taken_.exchange(true)) {
      arrived.set_value();
      go.get_future().wait();
    }
    return SomeService::GetServingState(context, request, state);
  }

  std::promise<void> arrived, go;

 private:
  std::atomic<bool> taken_ = false;
};

absl::Status Call(const std::string& address) {
  const auto stub = ScoringService::NewStub(
      grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(10));
  ServingState state;
  return FromGrpc(stub->GetServingState(&context, {}, &state));
}

config::v1::ServerConfig AnyPort() {
  config::v1::ServerConfig config;
  config.set_listen("127.0.0.1:0");
  return config;
}

}  // namespace

TEST_CASE("A server takes a free port, tells it, and answers", "[rpc]") {
  const testing::TempDir dir;
  SomeService service;
  auto config = AnyPort();
  config.set_port_file((dir.path() / "port").string());
  config.set_metrics_listen("127.0.0.1:0");
  const auto server = GrpcServer::Start(config, {.services = {&service}});
  REQUIRE(server.ok());
  CHECK(ReadFile(dir.path() / "port").value() == (*server)->address() + "\n");
  CHECK(Call((*server)->address()).ok());
}

TEST_CASE("A taken port and an empty address are refused with a reason",
          "[rpc]") {
  SomeService service, other;
  const auto server = GrpcServer::Start(AnyPort(), {.services = {&service}});
  REQUIRE(server.ok());
  config::v1::ServerConfig taken;
  taken.set_listen((*server)->address());
  const auto refused = GrpcServer::Start(taken, {.services = {&other}});
  CHECK(absl::IsUnavailable(refused.status()));
  CHECK(std::string(refused.status().message()).find((*server)->address()) !=
        std::string::npos);
  CHECK(absl::IsInvalidArgument(GrpcServer::Start({}, {}).status()));
}

TEST_CASE("An admin port for others than this machine says for whom it is",
          "[rpc]") {
  SomeService service, admin;
  const auto start = [&](const std::string& listen, bool named) {
    auto config = AnyPort();
    if (named) config.mutable_access()->mutable_admin()->set_anyone(true);
    return GrpcServer::Start(config, {.services = {&service},
                                      .admin_services = {&admin},
                                      .admin_listen = listen})
        .status();
  };
  CHECK(start("127.0.0.1:0", false).ok());
  CHECK(start("0.0.0.0:0", true).ok());
  const absl::Status refused = start("0.0.0.0:0", false);
  CHECK(absl::IsInvalidArgument(refused));
  CHECK_THAT(std::string(refused.message()),
             Catch::Contains("admin_listen is 0.0.0.0:0") &&
                 Catch::Contains("server.access.admin"));
}

TEST_CASE("A drain lets the call in flight end and refuses new ones", "[rpc]") {
  HeldService service;
  bool told = false;
  auto server = GrpcServer::Start(
      AnyPort(), {.services = {&service}, .on_drain = [&] { told = true; }});
  REQUIRE(server.ok());
  const std::string address = (*server)->address();
  absl::Status in_flight;
  std::jthread client([&] { in_flight = Call(address); });
  REQUIRE(service.arrived.get_future().wait_for(std::chrono::seconds(30)) ==
          std::future_status::ready);
  std::jthread drain([&] { (*server)->Drain(); });
  CHECK(
      testing::Eventually([&] { return absl::IsUnavailable(Call(address)); }));
  service.go.set_value();
  client.join();
  drain.join();
  CHECK(in_flight.ok());
  CHECK(told);
}

TEST_CASE("Calls go on for a pause after health says NOT_SERVING", "[rpc]") {
  SomeService service;
  auto config = AnyPort();
  config.set_shutdown_pause_ms(1'000);
  auto server = GrpcServer::Start(config, {.services = {&service}});
  REQUIRE(server.ok());
  const std::string address = (*server)->address();
  CHECK(CheckHealth(address, std::chrono::seconds(10)).ok());
  std::jthread drain([&] { (*server)->Drain(); });
  CHECK(testing::Eventually([&] {
    return absl::IsUnavailable(CheckHealth(address, std::chrono::seconds(10)));
  }));
  CHECK(Call(address).ok());
  drain.join();
  CHECK(absl::IsUnavailable(Call(address)));

  config.set_shutdown_pause_ms(-1);
  CHECK(absl::IsInvalidArgument(
      GrpcServer::Start(config, {.services = {&service}}).status()));
}

TEST_CASE("SIGTERM ends ServeUntilSignal in order", "[rpc]") {
  const testing::TempDir dir;
  SomeService service;
  auto config = AnyPort();
  config.set_port_file((dir.path() / "port").string());
  bool told = false;
  const auto serve = [&] {
    return ServeUntilSignal(
        config, {.services = {&service}, .on_drain = [&] { told = true; }});
  };
  CatchShutdownSignals();

  SECTION("while it serves") {
    auto ended = std::async(std::launch::async, serve);
    CHECK(testing::Eventually(
        [&] { return std::filesystem::exists(config.port_file()); }));
    raise(SIGTERM);
    CHECK(ended.get().ok());
  }
  SECTION("before it listens") {
    raise(SIGTERM);
    CHECK(serve().ok());
    CHECK(std::filesystem::exists(config.port_file()));
  }
  CHECK(told);
}

}  // namespace larr
