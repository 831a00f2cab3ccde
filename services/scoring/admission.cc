// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/admission.h"

#include <algorithm>
#include <cmath>

namespace larr {
namespace {

using Seconds = std::chrono::duration<double>;

constexpr Seconds kInterval(0.1);
constexpr double kBurst = 10;  // targets
// Factors on the time that a request is expected to take.
constexpr double kLeastMargin = 1.25, kMostMargin = 3;
constexpr double kLateStep = 0.2, kInTimeStep = 0.001;  // balance at 1 in 200
constexpr double kRequestsInTarget = 4;

Rejection Reject(RejectReason reason, double wait) {
  const double seconds = std::max(wait, kInterval.count());
  return {reason,
          std::chrono::milliseconds(std::llround(std::ceil(seconds * 1e3)))};
}

}  // namespace

Admission::Admission(const AdmissionOptions& options)
    : options_(options), limit_(kBurst * options.target_wait.count()) {
  margin_.fill(kLeastMargin);
}

std::optional<Rejection> Admission::Admit(const Request& request,
                                          TimePoint now) {
  NoteStandingQueue(now);
  const double wait = WaitOf(request.priority);
  if (waiting() >= options_.capacity) {
    return Reject(RejectReason::kQueueFull, wait);
  }
  const double limit = request.priority == Priority::kLow ? limit_ / 2 : limit_;
  if (wait > limit) return Reject(RejectReason::kOverload, wait);
  const Seconds needed(margin_[static_cast<size_t>(request.priority)] *
                       (wait + cost_.Seconds(1, request.bytes)));
  const bool is_idle = waiting() + running_.requests == 0;
  if (!is_idle && needed > request.deadline - now) {
    return Reject(RejectReason::kDeadline, wait);
  }
  WaitingLike(request).Add(request.bytes);
  return std::nullopt;
}

void Admission::Start(const Request& request) {
  WaitingLike(request).Remove(request.bytes);
  running_.Add(request.bytes);
}

void Admission::Abandon(const Request& request, TimePoint now) {
  WaitingLike(request).Remove(request.bytes);
  if (now >= request.deadline) NoteOutcome(request, now);
}

void Admission::Finish(const Request& request, TimePoint started,
                       TimePoint now) {
  cost_.Learn(request.bytes, Seconds(now - started).count());
  NoteOutcome(request, now);
  running_.Remove(request.bytes);
  if (waiting() == 0) {
    limit_ = std::min(2 * limit_, kBurst * Target());
  }
  NoteStandingQueue(now);
}

size_t Admission::waiting() const {
  size_t sum = 0;
  for (const Load& load : waiting_) sum += load.requests;
  return sum;
}

Admission::Load& Admission::WaitingLike(const Request& request) {
  return waiting_[static_cast<size_t>(request.priority)];
}

void Admission::NoteOutcome(const Request& request, TimePoint now) {
  double& margin = margin_[static_cast<size_t>(request.priority)];
  margin += now >= request.deadline ? kLateStep : -kInTimeStep;
  margin = std::clamp(margin, kLeastMargin, kMostMargin);
}

double Admission::Target() const {
  return std::max(options_.target_wait.count(),
                  kRequestsInTarget * cost_.typical() / options_.threads);
}

double Admission::WaitOf(Priority priority) const {
  const auto threads = static_cast<size_t>(options_.threads);
  if (waiting() + running_.requests < threads) return 0;
  Load ahead = running_;
  for (auto p = static_cast<size_t>(priority); p < kPriorities; ++p) {
    ahead.requests += waiting_[p].requests;
    ahead.bytes += waiting_[p].bytes;
  }
  return cost_.Seconds(ahead.requests, ahead.bytes) / options_.threads;
}

void Admission::NoteStandingQueue(TimePoint now) {
  limit_ = std::max(limit_, Target());
  if (WaitOf(Priority::kLow) <= Target()) {
    calm_ = now;
  } else if (now - calm_ >= kInterval) {
    limit_ = std::max(limit_ / 2, Target());
    calm_ = now;
  }
}

}  // namespace larr
