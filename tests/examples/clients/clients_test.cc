// SPDX-License-Identifier: Apache-2.0
//
// The clients that a backend starts from, against larr_scoring itself, and
// against a server that fails at first.
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "larr/config/v1/server.pb.h"
#include "larr/scoring/v1/scoring_service.grpc.pb.h"
#include "tests/services/scoring/scoring_artifacts.h"
#include "tests/testing/server_program.h"
#include "tests/testing/shell.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using testing::Bin;
using testing::Outcome;
using testing::Shell;

std::string Cpp() { return Bin("larr_score_client"); }

// The command of the Python client, with stubs that are made once a process.
std::string Python() {
  static const testing::TempDir stubs;
  static const std::string folder =
      std::string(std::getenv("LARR_SOURCE_DIR")) + "/examples/clients/python/";
  static const Outcome made =
      Shell(folder + "make_stubs.sh " + stubs.path().string());
  INFO(made.out);
  REQUIRE(made.code == 0);
  return "PYTHONPATH=" + stubs.path().string() + " /usr/bin/python3 -B " +
         folder + "score_client.py";
}

std::vector<std::string> Clients() { return {Cpp(), Python()}; }

TEST_CASE("Both clients rank candidates", "[clients]") {
  const testing::Artifacts& shared = testing::SharedArtifacts();
  const testing::TempDir dir;
  config::v1::ScoringConfig config;
  config.set_model_path(shared.model);
  config.set_snapshot_path(shared.snapshot);
  testing::ServerProgram server(Bin("larr_scoring"), config,
                                dir.path() / "scoring");
  const std::string& address = server.address();

  std::vector<std::string> answers;
  for (const std::string& client : Clients()) {
    CAPTURE(client);
    const Outcome ranked =
        Shell(client + " " + address + " u1 p1 p2 p3 nowhere");
    CHECK(ranked.code == 0);
    answers.push_back(ranked.out);
    std::vector<double> ctcvr;
    char poi[16];
    double ctr = 0;
    size_t line = 0;
    for (; line < ranked.out.size(); line = ranked.out.find('\n', line) + 1) {
      ctcvr.push_back(0);
      REQUIRE(std::sscanf(ranked.out.c_str() + line, "%15s %lf %lf", poi, &ctr,
                          &ctcvr.back()) == 3);
    }
    REQUIRE(ctcvr.size() == 4);
    CHECK(std::is_sorted(ctcvr.rbegin(), ctcvr.rend()));
    CHECK(ctcvr.front() > ctcvr.back());

    const Outcome bad = Shell(client + " " + address + " u1 p1 ''");
    CHECK(bad.code == 2);
    CHECK(bad.out == "wrong field candidates[1].poi_id: is empty\n");
  }
  CHECK(answers[0] == answers[1]);
  CHECK(server.program().Terminate() == 0);
}

// Says UNAVAILABLE, and to come back after `kPushback`, `failures` times.
class Unready final : public scoring::v1::ScoringService::Service {
 public:
  static constexpr std::chrono::milliseconds kPushback{300};

  explicit Unready(int failures) : failures_(failures) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  grpc::Status Score(grpc::ServerContext* context,
                     const scoring::v1::ScoreRequest* request,
                     scoring::v1::ScoreResponse* response) override {
    const std::lock_guard lock(mutex_);
    calls_.push_back(std::chrono::steady_clock::now());
    if (static_cast<int>(calls_.size()) <= failures_) {
      context->AddTrailingMetadata("grpc-retry-pushback-ms",
                                   std::to_string(kPushback.count()));
      return {grpc::StatusCode::UNAVAILABLE, "not yet"};
    }
    for (int i = 0; i < request->candidates_size(); ++i) {
      auto& score = *response->add_scores();
      score.set_candidate(i);
      score.set_ctr(0.5F);
    }
    return grpc::Status::OK;
  }

  std::vector<std::chrono::steady_clock::time_point> calls() {
    const std::lock_guard lock(mutex_);
    return calls_;
  }

 private:
  const int failures_;
  std::mutex mutex_;
  std::vector<std::chrono::steady_clock::time_point> calls_;  // by mutex_
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

TEST_CASE("Clients come back when a server says so", "[clients]") {
  for (const std::string& client : Clients()) {
    CAPTURE(client);
    Unready server(2);
    const Outcome ranked = Shell(client + " " + server.address() + " u1 p1");
    CHECK(ranked.code == 0);
    CHECK(ranked.out == "p1 0.500000 0.000000\n");
    const auto calls = server.calls();
    REQUIRE(calls.size() == 3);
    // Twice the clients' own longest backoff, and no exact clock.
    CHECK(calls[1] - calls[0] > Unready::kPushback * 3 / 4);
    CHECK(calls[2] - calls[1] > Unready::kPushback * 3 / 4);
  }
}

TEST_CASE("Clients fall back when there are no scores", "[clients]") {
  for (const std::string& client : Clients()) {
    CAPTURE(client);
    Unready server(100);
    const Outcome failed = Shell(client + " " + server.address() + " u1 p2 p1");
    CHECK(failed.code == 3);
    CHECK_THAT(failed.out,
               Catch::Contains("falling back, code 14: not yet\n") &&
                   Catch::Contains("p2\np1\n"));
    CHECK(server.calls().size() == 3);
    CHECK(Shell(client + " 127.0.0.1:1 u1 p1").code == 3);
    CHECK(Shell(client + " 127.0.0.1:1").code == 2);
  }
}

}  // namespace
}  // namespace larr
