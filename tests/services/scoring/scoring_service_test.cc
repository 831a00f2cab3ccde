// SPDX-License-Identifier: Apache-2.0
//
// The service over a real socket, with a real model and snapshot.
#include "services/scoring/scoring_service.h"

#include <grpcpp/generic/generic_stub.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/ctr/score_distribution.h"
#include "common/rpc/grpc_status.h"
#include "google/rpc/error_details.pb.h"
#include "services/scoring/score_drift.h"
#include "services/scoring/time_left.h"
#include "tests/services/scoring/sample_request.h"
#include "tests/services/scoring/scoring_server.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using scoring::v1::ScoreRequest;
using scoring::v1::ScoreResponse;
using scoring::v1::ServingState;
using testing::Artifacts;
using testing::Server;

TEST_CASE("Before a model is loaded calls are UNAVAILABLE", "[scoring]") {
  const Server server;
  ScoreResponse response;
  const grpc::Status status = server.Score(testing::SampleRequest(2), response);
  CHECK(status.error_code() == grpc::StatusCode::UNAVAILABLE);
  CHECK_THAT(status.error_message(), Catch::Contains("serving switch"));
  grpc::ClientContext context;
  ServingState state;
  CHECK(server.stub->GetServingState(&context, {}, &state).error_code() ==
        grpc::StatusCode::UNAVAILABLE);
}

TEST_CASE("Requests are scored in their order over a socket", "[scoring]") {
  const Artifacts& a = testing::SharedArtifacts();
  const Server server;
  ServingState state;
  REQUIRE(server.Switch(a.model, a.snapshot, &state).ok());
  ScoreResponse response, reversed;
  ScoreRequest request = testing::SampleRequest(5);
  REQUIRE(server.Score(request, response).ok());
  REQUIRE(response.scores_size() == 5);
  CHECK(response.missing().pois() == 1);
  CHECK(response.snapshot() == state.snapshot());
  request.mutable_candidates()->SwapElements(0, 4);
  request.mutable_candidates()->SwapElements(1, 3);
  REQUIRE(server.Score(request, reversed).ok());
  for (int i = 0; i < 5; ++i) {
    CHECK(response.scores(i).ctr() ==
          Approx(reversed.scores(4 - i).ctr()).margin(1e-6));
  }
  CHECK(response.scores(0).ctr() != response.scores(1).ctr());

  grpc::ClientContext context;
  ServingState live;
  REQUIRE(server.stub->GetServingState(&context, {}, &live).ok());
  CHECK(live.model_path() == a.model);
}

TEST_CASE("A bad request is INVALID_ARGUMENT with its path", "[scoring]") {
  const Artifacts& a = testing::SharedArtifacts();
  const Server server({.max_candidates = 3});
  ServingState state;
  REQUIRE(server.Switch(a.model, a.snapshot, &state).ok());
  ScoreResponse response;
  ScoreRequest request = testing::SampleRequest(4);
  grpc::Status status = server.Score(request, response);
  CHECK(status.error_code() == grpc::StatusCode::INVALID_ARGUMENT);
  CHECK_THAT(status.error_message(), Catch::StartsWith("candidates: 4"));
  request = testing::SampleRequest(3);
  (*request.mutable_context())["hour"].set_string_value("noon");
  status = server.Score(request, response);
  CHECK(status.error_code() == grpc::StatusCode::INVALID_ARGUMENT);
  CHECK_THAT(status.error_message(), Catch::StartsWith("context[\"hour\"]"));
  CHECK(response.scores_size() == 0);
}

TEST_CASE("Switching under load fails no request", "[scoring]") {
  const Artifacts& a = testing::SharedArtifacts();
  const Server server({.admission = {.threads = 2}});
  ServingState state;
  REQUIRE(server.Switch(a.model, a.snapshot, &state).ok());
  // What each bundle answers; every answer must be one of them, whole.
  const ScoreRequest request = testing::SampleRequest(20);
  std::map<std::string, ScoreResponse> expected;
  const std::pair<std::string, std::string> sources[] = {
      {a.model, a.snapshot}, {a.other, a.snapshot}, {a.model, a.fresh}};
  for (const auto& [model, snapshot] : sources) {
    REQUIRE(server.Switch(model, snapshot, &state).ok());
    ScoreResponse response;
    REQUIRE(server.Score(request, response).ok());
    expected[response.model_version() + response.snapshot()] = response;
  }
  REQUIRE(expected.size() == 3);

  std::atomic<int> failed = 0, mixed = 0, calls = 0;
  const auto call = [&](const std::stop_token& stop) {
    ScoreResponse response;
    while (!stop.stop_requested()) {
      ++calls;
      if (!server.Score(request, response).ok()) {
        ++failed;
        continue;
      }
      const auto want =
          expected.find(response.model_version() + response.snapshot());
      if (want == expected.end() || response.scores_size() != 20) {
        ++mixed;
        continue;
      }
      for (int i = 0; i < 20; ++i) {
        const float difference =
            response.scores(i).ctr() - want->second.scores(i).ctr();
        if (!(std::abs(difference) <= 1e-6)) ++mixed;
      }
    }
  };
  {
    std::vector<std::jthread> clients;
    for (int c = 0; c < 4; ++c) clients.emplace_back(call);
    for (int i = 0; i < 15; ++i) {
      const auto& [model, snapshot] = sources[i % 3];
      REQUIRE(server.Switch(model, snapshot, &state).ok());
    }
  }
  CHECK(failed == 0);
  CHECK(mixed == 0);
  CHECK(calls > 50);
}

// Calls Score with these bytes and metadata.
grpc::Status ScoreRaw(const Server& server, const std::string& bytes,
                      const std::map<std::string, std::string>& metadata = {}) {
  grpc::GenericStub stub(Server::Channel(server.server->address()));
  grpc::ClientContext context;
  for (const auto& [key, value] : metadata) context.AddMetadata(key, value);
  const grpc::Slice slice(bytes);
  const grpc::ByteBuffer request(&slice, 1);
  grpc::ByteBuffer response;
  grpc::CompletionQueue queue;
  grpc::Status status;
  const auto call = stub.PrepareUnaryCall(
      &context, "/larr.scoring.v1.ScoringService/Score", request, &queue);
  call->StartCall();
  call->Finish(&response, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  return status;
}

TEST_CASE("Bytes that are no request are INVALID_ARGUMENT", "[scoring]") {
  const Artifacts& a = testing::SharedArtifacts();
  const Server server({.max_request_bytes = 2000});
  ServingState state;
  REQUIRE(server.Switch(a.model, a.snapshot, &state).ok());
  const std::string good = testing::SampleRequest(3).SerializeAsString();
  CHECK(ScoreRaw(server, good).ok());
  const std::pair<std::string, const char*> cases[] = {
      {"\xff\xff\xff", "3 bytes are not a larr.scoring.v1.ScoreRequest"},
      {good.substr(0, good.size() - 1), "are not a"},
      {"\x0a\x02\xc3\x28", "UTF-8"},
      {std::string(2001, '\x00'),
       "2001 bytes, more than max_request_bytes, 2000"},
      {"", "candidates"}};
  for (const auto& [bytes, why] : cases) {
    const grpc::Status status = ScoreRaw(server, bytes);
    CHECK(status.error_code() == grpc::StatusCode::INVALID_ARGUMENT);
    CHECK_THAT(status.error_message(), Catch::Contains(why));
    const auto bad = DetailOf<google::rpc::BadRequest>(FromGrpc(status));
    REQUIRE(bad.has_value());
    REQUIRE(bad->field_violations_size() == 1);
    CHECK(bad->field_violations(0).field() ==
          (bytes.empty() ? "candidates" : kWholeRequest));
  }
  CHECK(ScoreRaw(server, good).ok());
}

TEST_CASE("A call without a deadline gets the server's", "[scoring]") {
  const Artifacts& a = testing::SharedArtifacts();
  const Server server({.default_deadline = std::chrono::milliseconds(0)});
  ServingState state;
  REQUIRE(server.Switch(a.model, a.snapshot, &state).ok());
  const ScoreRequest request = testing::SampleRequest(3);
  CHECK(ScoreRaw(server, request.SerializeAsString()).error_code() ==
        grpc::StatusCode::DEADLINE_EXCEEDED);
  ScoreResponse response;
  CHECK(server.Score(request, response).ok());  // it sets one
}

TEST_CASE("A deadline in centuries is one that is far", "[scoring]") {
  const auto in = [](int64_t hours) {  // a header has up to 8 digits of them
    return TimeLeft(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                 gpr_time_from_hours(hours, GPR_TIMESPAN)));
  };
  CHECK(in(99'999'999) == std::chrono::hours(1));
  CHECK(in(2'562'048) == std::chrono::hours(1));
  CHECK(*in(-1) < std::chrono::seconds(0));
  CHECK_FALSE(TimeLeft(gpr_inf_future(GPR_CLOCK_MONOTONIC)).has_value());
}

TEST_CASE("The priority is read from the metadata", "[scoring]") {
  const Artifacts& a = testing::SharedArtifacts();
  const Server server;
  ServingState state;
  REQUIRE(server.Switch(a.model, a.snapshot, &state).ok());
  const std::string request = testing::SampleRequest(3).SerializeAsString();
  for (const char* name : {"low", "normal", "high"}) {
    CHECK(ScoreRaw(server, request, {{"larr-priority", name}}).ok());
  }
  const grpc::Status status =
      ScoreRaw(server, request, {{"larr-priority", "urgent"}});
  CHECK(status.error_code() == grpc::StatusCode::INVALID_ARGUMENT);
  CHECK_THAT(status.error_message(), Catch::Contains("larr-priority"));
}

// What an observer was told.
struct Recorder final : ScoreObserver {
  void OnScored(const ScoredCall& call) override {
    users.push_back(call.request.user_id());
    ids.emplace_back(call.request_id);
    arms.push_back(call.response.arm());
    scores.push_back(call.response.scores_size());
  }
  std::vector<std::string> users, ids, arms;
  std::vector<int> scores;
};

TEST_CASE("A response names its arm, and observers see it", "[scoring]") {
  const Artifacts& a = testing::SharedArtifacts();
  Recorder recorder;
  Server server({}, {&recorder});
  ServingState state;
  REQUIRE(server.Switch(a.model, a.snapshot, &state).ok());
  ScoreResponse response;
  REQUIRE(server.Score(testing::SampleRequest(3), response).ok());
  CHECK(response.arm() == "default");

  scoring::v1::Arms arms;
  arms.set_salt("s");
  arms.add_arms()->set_name("control");
  arms.mutable_arms(0)->set_weight(10'000);
  arms.add_arms()->set_name("new");
  arms.mutable_arms(1)->set_model_path(a.other);
  arms.mutable_arms(1)->set_snapshot_path(a.snapshot);
  REQUIRE(server.router.SetArms(arms).ok());
  ScoreResponse control;
  REQUIRE(server.Score(testing::SampleRequest(3), control).ok());
  CHECK(control.arm() == "control");
  CHECK(control.model_version() == response.model_version());

  const auto score_as = [&](const std::string& arm) {
    grpc::ClientContext context;
    context.AddMetadata("larr-arm", arm);
    context.AddMetadata("larr-request-id", "r1");
    response.Clear();
    return server.stub->Score(&context, testing::SampleRequest(3), &response);
  };
  REQUIRE(score_as("new").ok());
  CHECK(response.arm() == "new");
  CHECK(response.model_version() != control.model_version());
  const grpc::Status unknown = score_as("old");
  CHECK(unknown.error_code() == grpc::StatusCode::INVALID_ARGUMENT);
  CHECK_THAT(unknown.error_message(), Catch::Contains("larr-arm"));

  CHECK(recorder.arms == std::vector<std::string>{"default", "control", "new"});
  CHECK(recorder.ids == std::vector<std::string>{"", "", "r1"});
  CHECK(recorder.users == std::vector<std::string>{"u1", "u1", "u1"});
  CHECK(recorder.scores == std::vector<int>{3, 3, 3});
}

// Traffic of many users, POIs and distances; all scores of P(click).
std::vector<double> ScoreMany(const Server& server, int requests) {
  std::vector<double> scores;
  for (int r = 0; r < requests; ++r) {
    ScoreRequest request = testing::SampleRequest(200);
    request.set_user_id("u" + std::to_string(r % 3));
    (*request.mutable_context())["hour"].set_int_value(r % 24);
    request.set_top_k(3);  // What is not sent back counts, too.
    ScoreResponse response;
    REQUIRE(server.Score(request, response).ok());
    request.clear_top_k();
    REQUIRE(server.Score(request, response).ok());
    for (const auto& score : response.scores()) scores.push_back(score.ctr());
  }
  return scores;
}

ServingState StateOf(const Server& server) {
  grpc::ClientContext context;
  ServingState state;
  REQUIRE(server.stub->GetServingState(&context, {}, &state).ok());
  return state;
}

TEST_CASE("Drifted traffic shows, that of training does not", "[scoring]") {
  const Artifacts& a = testing::SharedArtifacts();
  const testing::TempDir dir;
  prometheus::Registry registry;
  ScoreDrift drift(registry);
  const Server server({}, {&drift});
  ServingState state;
  REQUIRE(server.Switch(a.model, a.snapshot, &state).ok());
  const std::vector<double> scores = ScoreMany(server, 24);
  state = StateOf(server);
  CHECK_FALSE(state.arms(0).has_score_distribution());
  CHECK(state.arms(0).drift().empty());

  config::v1::ScoreDistribution distribution;
  *distribution.mutable_ctr() = MakeHistogram(scores);
  REQUIRE(distribution.ctr().rows_size() > 5);
  const auto model =
      testing::WithScores(a.model, dir.path(), "m", distribution);
  REQUIRE(server.Switch(model, "", &state).ok());
  ScoreMany(server, 24);
  state = StateOf(server);
  CHECK(state.arms(0).has_score_distribution());
  REQUIRE(state.arms(0).drift_size() == 1);
  CHECK(state.arms(0).drift(0).psi() < 0.01);
  CHECK(state.arms(0).drift(0).scores() == 2 * 24 * 200);

  ScoreRequest odd = testing::SampleRequest(1000);
  for (auto& candidate : *odd.mutable_candidates()) {
    candidate.set_poi_id("p1");
    (*candidate.mutable_values())["distance"].set_double_value(3);
  }
  ScoreResponse response;
  for (int i = 0; i < 20; ++i) REQUIRE(server.Score(odd, response).ok());
  state = StateOf(server);
  REQUIRE(state.arms(0).drift_size() == 1);
  CHECK(state.arms(0).drift(0).psi() > 0.25);
}

TEST_CASE("The state tells ages, calls, queue and cache", "[scoring]") {
  const Artifacts& a = testing::SharedArtifacts();
  const Server server;
  ServingState state;
  REQUIRE(server.Switch(a.model, a.snapshot, &state).ok());
  ScoreResponse response;
  REQUIRE(server.Score(testing::SampleRequest(4), response).ok());
  REQUIRE(server.Score(testing::SampleRequest(4), response).ok());
  state = StateOf(server);
  CHECK(state.model_create_time().seconds() > 1'600'000'000);
  CHECK(state.snapshot_create_time().seconds() > 1'600'000'000);
  CHECK(state.start_time().seconds() >= state.model_create_time().seconds());
  CHECK(state.queue().admitted() == 2);
  CHECK(state.queue().rejected() == 0);
  CHECK(state.queue().limit_ms() > 0);
  CHECK(state.ready_pois() + state.prepared_pois() == 8);
  CHECK(state.ready_pois() >= 3);
  REQUIRE(state.arms_size() == 1);
  CHECK(state.arms(0).calls() == 2);
  CHECK(state.arms(0).model_create_time().seconds() ==
        state.model_create_time().seconds());
  CHECK(state.arms(0).poi_cache().pois() >= 3);
  CHECK(state.arms(0).poi_cache().bytes() > 0);
  CHECK(state.arms(0).poi_cache().budget_bytes() == int64_t{1} << 30);
}

}  // namespace
}  // namespace larr
