// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/scoring_admin_service.h"

#include <catch2/catch.hpp>

#include "tests/services/scoring/sample_request.h"
#include "tests/services/scoring/scoring_server.h"

namespace larr {
namespace {

using scoring::v1::ScoreResponse;
using scoring::v1::ServingState;
using testing::Artifacts;
using testing::Server;

TEST_CASE("A refused switch says why and changes nothing", "[scoring]") {
  const Artifacts& a = testing::SharedArtifacts();
  const Server server;
  ServingState state;
  REQUIRE(server.Switch(a.model, a.snapshot, &state).ok());
  const grpc::Status refused = server.Switch("", a.foreign, &state);
  CHECK(refused.error_code() == grpc::StatusCode::FAILED_PRECONDITION);
  CHECK_THAT(refused.error_message(), Catch::Contains("fingerprint"));
  ScoreResponse response;
  CHECK(server.Score(testing::SampleRequest(2), response).ok());
}

TEST_CASE("Admin calls are on the admin port alone", "[scoring]") {
  const Server server;
  const auto stub = scoring::v1::ScoringAdminService::NewStub(
      Server::Channel(server.server->address()));
  grpc::ClientContext context;
  ServingState state;
  CHECK(stub->SwitchBundle(&context, {}, &state).error_code() ==
        grpc::StatusCode::UNIMPLEMENTED);
  const grpc::Status nothing = server.Switch("", "", &state);
  CHECK(nothing.error_code() == grpc::StatusCode::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace larr
