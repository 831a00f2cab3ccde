// SPDX-License-Identifier: Apache-2.0
//
// A real server asked for far more than it can do.
#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/services/scoring/sample_request.h"
#include "tests/services/scoring/scoring_server.h"
#include "tests/testing/program.h"

namespace larr {
namespace {

using scoring::v1::ScoreRequest;
using scoring::v1::ScoreResponse;
using scoring::v1::ServingState;
using std::chrono::milliseconds;
using testing::Server;
using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

// Keeps so many calls open at once, until Stop; each that ends is followed by
// another one.
class Clients {
 public:
  Clients(const Server& server, int calls, milliseconds deadline)
      : server_(server),
        request_(testing::SampleRequest(1000)),
        deadline_(deadline) {
    open_ = calls;
    for (int i = 0; i < calls; ++i) Begin();
  }
  // Waits for every call; false if one hangs.
  bool Stop() {
    stopping_ = true;
    std::unique_lock lock(mutex_);
    return ended_.wait_for(lock, std::chrono::seconds(30),
                           [this] { return open_ == 0; });
  }
  // Seconds from call to answer, by code. After Stop.
  std::map<grpc::StatusCode, std::vector<double>> seconds;
  int rejected_without_hint = 0;

 private:
  struct Call {
    grpc::ClientContext context;
    ScoreResponse response;
    Clock::time_point begun = Clock::now();
  };

  void Begin() {
    auto* call = new Call;  // NOLINT: freed by the callback
    call->context.set_deadline(std::chrono::system_clock::now() + deadline_);
    server_.stub->async()->Score(
        &call->context, &request_, &call->response,
        [this, call](const grpc::Status& status) { End(call, status); });
  }

  void End(Call* raw, const grpc::Status& status) {
    const std::unique_ptr<Call> call(raw);
    const Seconds took = Clock::now() - call->begun;
    const auto& metadata = call->context.GetServerTrailingMetadata();
    {
      const std::lock_guard lock(mutex_);
      seconds[status.error_code()].push_back(took.count());
      if (status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED &&
          metadata.find("grpc-retry-pushback-ms") == metadata.end()) {
        ++rejected_without_hint;
      }
      if (stopping_) {
        --open_;
        ended_.notify_all();
        return;
      }
    }
    Begin();
  }

  const Server& server_;
  const ScoreRequest request_;
  const milliseconds deadline_;
  std::atomic<bool> stopping_ = false;
  std::mutex mutex_;
  std::condition_variable ended_;
  int open_ = 0;
};

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

TEST_CASE("A flooded server answers what it takes in time and refuses the rest",
          "[scoring]") {
  const testing::Artifacts& a = testing::SharedArtifacts();
  const Server server;
  ServingState state;
  REQUIRE(server.Switch(a.model, a.snapshot, &state).ok());
  Clients clients(server, 100, milliseconds(500));
  std::this_thread::sleep_for(milliseconds(1500));
  REQUIRE(clients.Stop());

  const auto& served = clients.seconds[grpc::StatusCode::OK];
  const auto& refused = clients.seconds[grpc::StatusCode::RESOURCE_EXHAUSTED];
  const auto& late = clients.seconds[grpc::StatusCode::DEADLINE_EXCEEDED];
  CAPTURE(served.size(), refused.size(), late.size());
  REQUIRE(served.size() > 20);
  REQUIRE(refused.size() > 20);
  CHECK(clients.seconds.size() <= 3);
  CHECK(clients.rejected_without_hint == 0);
  CHECK(Median(refused) < Median(served));

  // It is itself again at once.
  ScoreResponse response;
  CHECK(server.Score(testing::SampleRequest(5), response).ok());
}

TEST_CASE("Calls whose deadline passed and calls given up are not computed",
          "[scoring]") {
  const testing::Artifacts& a = testing::SharedArtifacts();
  const Server server;
  ServingState state;
  REQUIRE(server.Switch(a.model, a.snapshot, &state).ok());
  const ScoreRequest request = testing::SampleRequest(1000);
  // A crowd that leaves at once.
  constexpr int kCalls = 50;
  std::atomic<int> ended = 0;
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<ScoreResponse> responses(kCalls);
  for (int i = 0; i < kCalls; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    server.stub->async()->Score(contexts.back().get(), &request, &responses[i],
                                [&](const grpc::Status&) { ++ended; });
  }
  for (const auto& context : contexts) context->TryCancel();
  CHECK(testing::Eventually([&] { return ended == kCalls; }));
  // Its threads are free again, though what goes first may reach it last.
  ScoreResponse response;
  CHECK(testing::Eventually(
      [&] { return server.Score(request, response).ok(); }));
}

}  // namespace
}  // namespace larr
