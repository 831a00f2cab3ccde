// SPDX-License-Identifier: Apache-2.0
#include "tools/load/driver.h"

#include <fmt/format.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/channel_arguments.h>
#include <sys/prctl.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "common/base/status_macros.h"

namespace larr::load {
namespace {

using scoring::v1::ScoringService;

constexpr int kConnections = 4;  // calls take turns

// A connection of its own, on which a call is one call.
absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(
    const std::string& server, const ClientSecurity& security) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  return Dial(server, security, arguments);
}

}  // namespace

struct LoadDriver::Call {
  size_t step;
  Clock::time_point due;
  grpc::ClientContext context;
  scoring::v1::ScoreResponse response;
};

LoadDriver::LoadDriver(DriverOptions options,
                       std::span<const scoring::v1::ScoreRequest> requests)
    : options_(std::move(options)),
      requests_(requests),
      arrivals_(options_.seed) {}

absl::StatusOr<std::unique_ptr<LoadDriver>> LoadDriver::Connect(
    DriverOptions options,
    std::span<const scoring::v1::ScoreRequest> requests) {
  std::unique_ptr<LoadDriver> driver(
      new LoadDriver(std::move(options), requests));
  const DriverOptions& o = driver->options_;
  for (int i = 0; i < kConnections; ++i) {
    LARR_ASSIGN_OR_RETURN(const auto channel,
                          OpenChannel(o.server, o.security));
    if (!channel->WaitForConnected(std::chrono::system_clock::now() +
                                   o.connect_time)) {
      return absl::UnavailableError(fmt::format(
          "--server {}: no connection within {} ms; start the server, or give "
          "the HOST:PORT where it listens",
          o.server, o.connect_time.count()));
    }
    driver->stubs_.push_back(ScoringService::NewStub(channel));
  }
  return driver;
}

void LoadDriver::SetSteps(const std::vector<Step>& steps) {
  results_.clear();
  bounds_ = {Clock::now()};
  for (const Step& step : steps) {
    results_.emplace_back(step, options_.bound);
    bounds_.push_back(bounds_.back() +
                      std::chrono::duration_cast<Clock::duration>(
                          std::chrono::duration<double>(step.seconds)));
  }
}

std::vector<StepResult> LoadDriver::Run(const std::vector<Step>& steps) {
  prctl(PR_SET_TIMERSLACK, 1);  // ns, in place of 50 us
  SetSteps(steps);
  for (size_t i = 0; i < steps.size(); ++i) {
    for (auto due = bounds_[i] + arrivals_.NextGap(steps[i].rate);
         due < bounds_[i + 1]; due += arrivals_.NextGap(steps[i].rate)) {
      std::this_thread::sleep_until(due);
      Send(i, due);
    }
  }
  std::unique_lock lock(mutex_);
  ended_.wait(lock, [this] { return in_flight_ == 0; });
  return std::move(results_);
}

bool LoadDriver::Admit(size_t step, Clock::duration due, Clock::duration lag) {
  const std::lock_guard lock(mutex_);
  if (in_flight_ >= options_.max_in_flight) {
    results_[step].RecordNotSent(due);
    return false;
  }
  ++in_flight_;
  results_[step].RecordSent(lag);
  return true;
}

void LoadDriver::Send(size_t step, Clock::time_point due) {
  const auto lag = Clock::now() - due;
  if (!Admit(step, due - bounds_[step], lag)) return;
  auto* call = new Call{.step = step, .due = due};
  call->context.set_deadline(std::chrono::system_clock::now() +
                             options_.deadline - lag);
  stubs_[sent_ % stubs_.size()]->async()->Score(
      &call->context, &requests_[sent_ % requests_.size()], &call->response,
      [this, call](const grpc::Status& status) {
        End(*call, status);
        delete call;
      });
  ++sent_;
}

void LoadDriver::End(const Call& call, const grpc::Status& status) {
  const auto now = Clock::now();
  const size_t step_of_answer =
      std::ranges::upper_bound(bounds_, now) - bounds_.begin() - 1;
  const std::lock_guard lock(mutex_);
  results_[call.step].RecordEnd(
      call.due - bounds_[call.step], now - call.due,
      static_cast<absl::StatusCode>(status.error_code()));
  if (status.ok() && step_of_answer < results_.size()) {
    results_[step_of_answer].RecordAnswer(call.response.scores_size());
  }
  --in_flight_;
  if (in_flight_ == 0) ended_.notify_all();
}

}  // namespace larr::load
