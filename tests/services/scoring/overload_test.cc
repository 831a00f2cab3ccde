// SPDX-License-Identifier: Apache-2.0
//
// A real server asked for far more than it can do.
#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/services/scoring/sample_request.h"
#include "tests/services/scoring/scoring_server.h"
#include "tests/testing/gate.h"
#include "tests/testing/metrics_text.h"
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
  size_t Count(grpc::StatusCode code) {
    const std::lock_guard lock(mutex_);
    return seconds[code].size();
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
  CHECK(testing::Eventually([&] {
    return clients.Count(grpc::StatusCode::OK) > 20 &&
           clients.Count(grpc::StatusCode::RESOURCE_EXHAUSTED) > 20;
  }));
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

// Holds up the one thread that scores, once it has scored a call.
struct HoldingObserver final : ScoreObserver {
  void OnScored(const ScoredCall& /*call*/) override {
    holds = true;
    wait();
  }
  std::function<void()> wait;
  std::atomic<bool> holds = false;
};

TEST_CASE("Calls whose deadline passed and calls given up are not computed",
          "[scoring]") {
  const testing::Artifacts& a = testing::SharedArtifacts();
  const ScoreRequest request = testing::SampleRequest(5);
  constexpr int kCalls = 9;
  std::vector<grpc::ClientContext> contexts(kCalls);
  std::vector<ScoreResponse> responses(kCalls);
  std::atomic<int> ended = 0;
  HoldingObserver observer;
  const Server server({}, {&observer});
  testing::Gate gate;
  observer.wait = gate.waiter();
  ServingState state;
  REQUIRE(server.Switch(a.model, a.snapshot, &state).ok());
  const auto call = [&](int i, milliseconds time) {
    contexts[i].set_deadline(std::chrono::system_clock::now() + time);
    server.stub->async()->Score(&contexts[i], &request, &responses[i],
                                [&](const grpc::Status&) { ++ended; });
  };
  const auto counted = [&](const std::string& line) {
    return testing::MetricValue(server.registry, "larr_scoring_" + line);
  };
  constexpr milliseconds kLong(60'000), kShort(500);
  call(0, kLong);
  REQUIRE(testing::Eventually([&] { return observer.holds.load(); }));
  for (int i = 1; i < 5; ++i) call(i, kLong);
  for (int i = 5; i < kCalls; ++i) call(i, kShort);
  REQUIRE(testing::Eventually([&] { return counted("queue_length") == 8; }));
  for (int i = 1; i < 5; ++i) contexts[i].TryCancel();
  REQUIRE(testing::Eventually([&] { return ended == 8; }));
  std::this_thread::sleep_for(kShort);  // The server learns of it, too.
  gate.Open();
  CHECK(testing::Eventually([&] { return ended == kCalls; }));
  ScoreResponse response;
  CHECK(server.Score(request, response).ok());
  CHECK(counted("dropped_total{reason=\"cancelled\"}") == 4);
  CHECK(counted("dropped_total{reason=\"expired\"}") == 4);
  CHECK(counted("request_candidates_count") == 2);
}

}  // namespace
}  // namespace larr
