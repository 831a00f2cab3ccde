// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/scoring_admin_service.h"

#include <catch2/catch.hpp>
#include <string>

#include "tests/services/scoring/sample_request.h"
#include "tests/services/scoring/scoring_server.h"
#include "tests/testing/metrics_text.h"

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
  const std::string metrics = testing::MetricsText(server.registry);
  for (const char* code : {"OK", "FAILED_PRECONDITION"}) {
    CHECK_THAT(metrics,
               Catch::Contains(std::string("duration_seconds_count{code=\"") +
                               code + "\",method=\"SwitchBundle\"} 1"));
  }
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

TEST_CASE("Arms are set and shown on the admin port", "[scoring]") {
  const Artifacts& a = testing::SharedArtifacts();
  const Server server;
  ServingState state;
  REQUIRE(server.Switch(a.model, a.snapshot, &state).ok());
  scoring::v1::SetArmsRequest request;
  request.mutable_arms()->set_salt("s");
  auto& control = *request.mutable_arms()->add_arms();
  control.set_name("control");
  control.set_weight(9000);
  const auto set = [&](scoring::v1::Arms* arms) {
    grpc::ClientContext context;
    return server.admin_stub->SetArms(&context, request, arms);
  };
  scoring::v1::Arms arms;
  const grpc::Status refused = set(&arms);
  CHECK(refused.error_code() == grpc::StatusCode::INVALID_ARGUMENT);
  CHECK_THAT(refused.error_message(), Catch::Contains("sum to 9000"));
  control.set_weight(10'000);
  auto& tested = *request.mutable_arms()->add_arms();
  tested.set_name("new");
  tested.set_model_path(a.other);
  tested.set_snapshot_path(a.snapshot);
  REQUIRE(set(&arms).ok());
  grpc::ClientContext get;
  arms.Clear();
  REQUIRE(server.admin_stub->GetArms(&get, {}, &arms).ok());
  CHECK(arms.SerializeAsString() == request.arms().SerializeAsString());
  grpc::ClientContext look;
  REQUIRE(server.stub->GetServingState(&look, {}, &state).ok());
  REQUIRE(state.arms_size() == 2);
  CHECK(state.arms(0).model_version() == state.model_version());
  CHECK(state.arms(1).model_version() != state.model_version());
  CHECK(state.refusal().empty());
}

}  // namespace
}  // namespace larr
