// SPDX-License-Identifier: Apache-2.0
//
// A scoring server whose speed is planned: calls queue for one worker who
// takes a fixed time for each, does nothing during a stall, and turns calls
// away while too many wait. It waits by timers, not by working.
#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "larr/scoring/v1/scoring_service.grpc.pb.h"

namespace larr::load {

class FakeScoring final : public scoring::v1::ScoringService::CallbackService {
 public:
  using Clock = std::chrono::system_clock;  // That of grpc::Alarm.

  struct Plan {
    std::chrono::microseconds service_time{0};
    // Longest wait for the worker; who would wait longer is turned away.
    std::chrono::milliseconds longest_wait{3'600'000};
    // After the first call.
    std::chrono::milliseconds stall_begin{0}, stall_time{0};
  };

  explicit FakeScoring(const Plan& plan) : plan_(plan) {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    address_ = "127.0.0.1:" + std::to_string(port);
  }

  const std::string& address() const { return address_; }

  grpc::ServerUnaryReactor* Score(
      grpc::CallbackServerContext* context,
      const scoring::v1::ScoreRequest* request,
      scoring::v1::ScoreResponse* response) override {
    auto* reactor = context->DefaultReactor();
    const auto now = Clock::now();
    Clock::time_point end = now;
    if (!Queue(now, end)) {
      reactor->Finish({grpc::StatusCode::RESOURCE_EXHAUSTED, "too many"});
      return reactor;
    }
    for (int i = 0; i < request->candidates_size(); ++i) response->add_scores();
    if (end <= now) {
      reactor->Finish(grpc::Status::OK);
      return reactor;
    }
    auto alarm = std::make_shared<grpc::Alarm>();
    alarm->Set(end, [reactor, alarm](bool) mutable {
      reactor->Finish(grpc::Status::OK);
      alarm.reset();
    });
    return reactor;
  }

 private:
  bool Queue(Clock::time_point now, Clock::time_point& end) {
    const std::lock_guard lock(mutex_);
    if (first_ == Clock::time_point()) first_ = now;
    auto begin = std::max(now, free_);
    const auto stall_begin = first_ + plan_.stall_begin;
    const auto stall_end = stall_begin + plan_.stall_time;
    if (begin >= stall_begin && begin < stall_end) begin = stall_end;
    if (begin - now > plan_.longest_wait) return false;
    free_ = end = begin + plan_.service_time;
    return true;
  }

  const Plan plan_;
  std::string address_;

  std::mutex mutex_;
  Clock::time_point first_, free_;

  std::unique_ptr<grpc::Server> server_;  // last: its calls use the rest
};

}  // namespace larr::load
