// SPDX-License-Identifier: Apache-2.0
//
// Sends calls of ScoringService.Score to a server at the times of a Poisson
// process, whether earlier ones were answered or not (an open loop). Users do
// not wait for a slow server before they come; a generator that does would not
// see its stalls.
//
//   LARR_ASSIGN_OR_RETURN(const auto driver,
//                         LoadDriver::Connect(options, requests));
//   const std::vector<StepResult> results =
//       driver->Run({{"calm", 100, 10}, {"rush", 500, 10}});
//
// Ownership:  borrows the requests.
// Threads:    belongs to one thread, the one that sends; answers come on
//             gRPC's.
#pragma once

#include <grpcpp/support/status.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/rpc/client_security.h"
#include "larr/scoring/v1/scoring_service.grpc.pb.h"
#include "tools/load/arrivals.h"
#include "tools/load/step_result.h"

namespace larr::load {

struct DriverOptions {
  std::string server;  // host:port
  ClientSecurity security;
  // Of each call, from when it was due.
  std::chrono::milliseconds deadline{1000};
  // What is answered within it is good; see StepResult.
  std::chrono::nanoseconds bound{std::chrono::seconds(1)};
  // A call that is due while so many are in flight is not sent, and counts as
  // failed; it is never delayed.
  int64_t max_in_flight = 2000;
  uint64_t seed = 1;
  std::chrono::milliseconds connect_time{10'000};  // Longest wait for each.
};

class LoadDriver {
 public:
  // REQUIRES: there are requests; positive options
  // Errors: kUnavailable  a connection cannot be made
  //         others        those of common/rpc/client_security.h
  static absl::StatusOr<std::unique_ptr<LoadDriver>> Connect(
      DriverOptions options,
      std::span<const scoring::v1::ScoreRequest> requests);

  // Runs the steps without a pause between them, with the requests in turn,
  // and returns once every call has ended: a result for each step.
  std::vector<StepResult> Run(const std::vector<Step>& steps);

 private:
  using Clock = std::chrono::steady_clock;
  struct Call;

  LoadDriver(DriverOptions options,
             std::span<const scoring::v1::ScoreRequest> requests);
  bool Admit(size_t step, Clock::duration due, Clock::duration lag);
  void SetSteps(const std::vector<Step>& steps);
  void Send(size_t step, Clock::time_point due);
  void End(const Call& call, const grpc::Status& status);

  const DriverOptions options_;
  const std::span<const scoring::v1::ScoreRequest> requests_;
  PoissonArrivals arrivals_;
  std::vector<std::unique_ptr<scoring::v1::ScoringService::Stub>> stubs_;
  size_t sent_ = 0;
  std::vector<Clock::time_point> bounds_;  // Of the steps: one more than them.

  std::mutex mutex_;  // Guards what follows.
  std::condition_variable ended_;
  std::vector<StepResult> results_;
  int64_t in_flight_ = 0;
};

}  // namespace larr::load
