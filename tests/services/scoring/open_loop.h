// SPDX-License-Identifier: Apache-2.0
//
// A server behind an Admission, simulated: requests come by a Poisson process
// whatever becomes of them, and threads work them off, by priority, then
// deadline. The same seed gives the same run.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <utility>
#include <vector>

#include "services/scoring/admission.h"

namespace larr::testing {

struct OpenLoop {
  using Request = Admission::Request;
  using TimePoint = Admission::TimePoint;
  using Seconds = std::chrono::duration<double>;

  // What became of the requests of one phase.
  struct Outcome {
    int offered = 0, refused = 0, in_time = 0, late = 0, dropped = 0;
    std::vector<double> waits;  // of those begun, in seconds
    double last_refusal = 0;    // seconds into the phase
    double goodput = 0;         // in time, a second

    double WaitPercentile(double share) const {
      std::vector<double> sorted = waits;
      std::sort(sorted.begin(), sorted.end());
      return sorted[static_cast<size_t>(share * (sorted.size() - 1.0))];
    }
  };

  static constexpr double kDear = 4;

  struct Traffic {
    double load = 1;  // of the capacity
    double seconds = 10;
    double deadline = 0.05;
    // Shares of the priorities; the rest is normal.
    double low = 0, high = 0;
    // Share of the requests that cost kDear times what their size tells, such
    // as those that ask for an explanation or meet POIs that are not prepared.
    double dear = 0;
  };

  explicit OpenLoop(const AdmissionOptions& options, double slowness = 1)
      : admission(options), threads_(options.threads), slowness_(slowness) {}

  // 50 to 350 candidates of 48 bytes cost 0.3 ms and 12 us each, give or take
  // a fifth.
  double Cost(size_t bytes) {
    const double candidates = static_cast<double>(bytes) / 48;
    return slowness_ * (3e-4 + 12e-6 * candidates) * Uniform(0.8, 1.2);
  }
  // Without dear ones.
  double Capacity() const { return threads_ / (slowness_ * 2.7e-3); }

  // Outcomes by priority.
  std::map<Priority, Outcome> Run(const Traffic& traffic) {
    std::map<Priority, Outcome> outcomes;
    const double end = now_ + traffic.seconds, begin = now_;
    double arrival = now_ + Gap(traffic);
    while (arrival < end || !running_.empty()) {
      const bool finishes =
          !running_.empty() &&
          (arrival >= end || running_.begin()->first <= arrival);
      now_ = finishes ? running_.begin()->first : arrival;
      if (finishes) {
        FinishFirst(outcomes);
      } else {
        Arrive(traffic, arrival - begin, outcomes);
        arrival += Gap(traffic);
      }
      Begin(traffic, outcomes);
    }
    for (auto& [priority, outcome] : outcomes) {
      outcome.goodput = outcome.in_time / traffic.seconds;
    }
    return outcomes;
  }

  Admission admission;

 private:
  struct Running {
    Request request;
    double started = 0;
  };
  using Outcomes = std::map<Priority, Outcome>;

  static TimePoint At(double seconds) {
    return TimePoint(std::chrono::duration_cast<TimePoint::duration>(
        Seconds(1000 + seconds)));
  }
  double Uniform(double low, double high) {
    return low + (high - low) * static_cast<double>(random_() >> 11) * 0x1p-53;
  }
  double Gap(const Traffic& traffic) {
    return -std::log(1 - Uniform(0, 1)) / (traffic.load * Capacity());
  }

  void Arrive(const Traffic& traffic, double into, Outcomes& outcomes) {
    Request request;
    request.bytes = static_cast<size_t>(48 * Uniform(50, 350));
    const double dice = Uniform(0, 1);
    if (dice < traffic.low) request.priority = Priority::kLow;
    if (dice > 1 - traffic.high) request.priority = Priority::kHigh;
    request.deadline = At(now_ + traffic.deadline);
    Outcome& outcome = outcomes[request.priority];
    ++outcome.offered;
    if (admission.Admit(request, At(now_))) {
      ++outcome.refused;
      outcome.last_refusal = into;
    } else {
      waiting_.emplace(
          std::pair{-static_cast<int>(request.priority), request.deadline},
          std::pair{request, now_});
    }
  }

  // Gives free threads what waits.
  void Begin(const Traffic& traffic, Outcomes& outcomes) {
    while (static_cast<int>(running_.size()) < threads_ && !waiting_.empty()) {
      const auto [request, arrival] = waiting_.begin()->second;
      waiting_.erase(waiting_.begin());
      Outcome& outcome = outcomes[request.priority];
      if (request.deadline <= At(now_)) {
        admission.Abandon(request, At(now_));
        ++outcome.dropped;
        continue;
      }
      admission.Start(request);
      outcome.waits.push_back(now_ - arrival);
      const double factor =
          traffic.dear > 0 && Uniform(0, 1) < traffic.dear ? kDear : 1;
      running_.emplace(now_ + factor * Cost(request.bytes),
                       Running{request, now_});
    }
  }

  void FinishFirst(Outcomes& outcomes) {
    const Running done = running_.begin()->second;
    running_.erase(running_.begin());
    admission.Finish(done.request, At(done.started), At(now_));
    Outcome& outcome = outcomes[done.request.priority];
    ++(At(now_) <= done.request.deadline ? outcome.in_time : outcome.late);
  }

  const int threads_;
  const double slowness_;
  double now_ = 0;
  std::mt19937_64 random_{7};
  std::multimap<double, Running> running_;  // by when they end
  std::multimap<std::pair<int, TimePoint>, std::pair<Request, double>> waiting_;
};

}  // namespace larr::testing
