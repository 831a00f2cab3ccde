// SPDX-License-Identifier: Apache-2.0
#include "common/rpc/readiness.h"

#include <catch2/catch.hpp>

#include "common/rpc/grpc_server.h"
#include "common/rpc/health_client.h"
#include "larr/scoring/v1/scoring_service.grpc.pb.h"

namespace larr {
namespace {

using scoring::v1::ScoringService;

// A server with one service, and an admin port.
class Server {
 public:
  explicit Server(Readiness* readiness) {
    config::v1::ServerConfig config;
    config.set_listen("127.0.0.1:0");
    auto server = GrpcServer::Start(config, {.services = {&service_},
                                             .readiness = readiness,
                                             .admin_listen = "127.0.0.1:0"});
    REQUIRE(server.ok());
    server_ = *std::move(server);
  }
  absl::Status Health(std::string_view name) const {
    return CheckHealth(server_->address(), std::chrono::seconds(5), name);
  }
  // Whether the server is said to take calls, by either name.
  bool IsReady() const {
    const absl::Status whole = Health(""),
                       service = Health(ScoringService::service_full_name());
    CHECK(whole.code() == service.code());
    CHECK((whole.ok() || absl::IsUnavailable(whole)));
    return whole.ok();
  }
  GrpcServer& operator*() const { return *server_; }

 private:
  ScoringService::Service service_;
  std::unique_ptr<GrpcServer> server_;
};

TEST_CASE("A server without readiness is ready from its start", "[rpc]") {
  const Server server(nullptr);
  CHECK(server.IsReady());
  CHECK(server.Health(kLivenessName).ok());
  CHECK(absl::IsNotFound(server.Health("larr.scoring.v1.NoService")));
}

TEST_CASE("A server is alive at once, and ready once that is set", "[rpc]") {
  Readiness readiness;
  const Server server(&readiness);
  CHECK_FALSE(server.IsReady());
  CHECK(server.Health(kLivenessName).ok());
  CHECK(CheckHealth((*server).admin_address(), std::chrono::seconds(5)).ok());
  readiness.Set();
  CHECK(server.IsReady());
  readiness.Set();
  CHECK(server.IsReady());
}

TEST_CASE("Readiness may be set before the start and after the drain",
          "[rpc]") {
  Readiness early, late;
  early.Set();
  CHECK(Server(&early).IsReady());
  {
    const Server server(&late);
    (*server).Drain();
    late.Set();  // tells nobody
  }
  late.Set();
}

}  // namespace
}  // namespace larr
