// SPDX-License-Identifier: Apache-2.0
//
// A scoring server in the test's process, on free ports.
#pragma once

#include <grpcpp/grpcpp.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/rpc/grpc_server.h"
#include "services/scoring/bundle_router.h"
#include "services/scoring/scoring_admin_service.h"
#include "services/scoring/scoring_service.h"
#include "tests/services/scoring/scoring_artifacts.h"

namespace larr::testing {

struct Server {
  explicit Server(const ScoringOptions& options = {},
                  std::vector<ScoreObserver*> observers = {})
      : service(options, router, std::move(observers), metrics,
                admission_metrics),
        admin(bundles, router, metrics) {
    config::v1::ServerConfig config;
    config.set_listen("127.0.0.1:0");
    GrpcServerOptions server_options;
    server_options.services = {&service};
    server_options.admin_services = {&admin};
    server_options.admin_listen = "127.0.0.1:0";
    auto started = GrpcServer::Start(config, std::move(server_options));
    REQUIRE(started.ok());
    server = *std::move(started);
    stub = scoring::v1::ScoringService::NewStub(Channel(server->address()));
    admin_stub = scoring::v1::ScoringAdminService::NewStub(
        Channel(server->admin_address()));
  }
  static std::shared_ptr<grpc::Channel> Channel(const std::string& address) {
    return grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
  }
  grpc::Status Score(
      const scoring::v1::ScoreRequest& request,
      scoring::v1::ScoreResponse& response,
      std::chrono::milliseconds time = std::chrono::seconds(20)) const {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + time);
    response.Clear();
    return stub->Score(&context, request, &response);
  }
  grpc::Status Switch(const std::string& model, const std::string& snapshot,
                      scoring::v1::ServingState* state) const {
    grpc::ClientContext context;
    scoring::v1::SwitchBundleRequest request;
    request.set_model_path(model);
    request.set_snapshot_path(snapshot);
    return admin_stub->SwitchBundle(&context, request, state);
  }

  prometheus::Registry registry;
  ScoringMetrics metrics{registry};
  AdmissionMetrics admission_metrics{registry};
  BundleManager bundles{"", metrics};
  BundleRouter router{{}, bundles, registry};
  ScoringService service;
  ScoringAdminService admin;
  std::unique_ptr<GrpcServer> server;
  std::unique_ptr<scoring::v1::ScoringService::Stub> stub;
  std::unique_ptr<scoring::v1::ScoringAdminService::Stub> admin_stub;
};

}  // namespace larr::testing
