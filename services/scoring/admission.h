// SPDX-License-Identifier: Apache-2.0
//
// Decides at the door whether a request is taken, from how long it would wait
// for a thread. What is taken should be answered in time, and a thread should
// never run out of work while there is some.
//
// - The wait is what the requests before it are expected to cost: those that
//   run, and those that wait with at least its priority.
// - A request that would miss its deadline is refused. For error, and for more
//   important ones that come later, its time is taken for longer than expected
//   by a margin: a quarter at first, and as much, up to three times, as keeps
//   late ones of its priority at one in 200.
// - A longer wait than the limit is refused. The limit begins at ten targets,
//   so that a burst passes; a queue that stood above the target for 100 ms
//   halves it, down to the target; a thread that finds nothing to do doubles
//   it. Requests of low priority have half the limit.
// - With nothing in flight everything is taken: a wrong estimate is corrected
//   by what it refuses wrongly.
//
// Threads: none of its own, and no clock; the caller locks and tells the time.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>

#include "services/scoring/priority.h"
#include "services/scoring/request_cost.h"

namespace larr {

struct AdmissionOptions {
  int threads = 1;        // That work off the requests; positive.
  size_t capacity = 256;  // Requests that may wait, however short they are.
  // A queue may stand so long, or for four typical requests where those take
  // longer.
  std::chrono::duration<double> target_wait = std::chrono::milliseconds(10);
};

enum class RejectReason { kQueueFull, kOverload, kDeadline };

struct Rejection {
  RejectReason reason = RejectReason::kOverload;
  // After which a try is worth while.
  std::chrono::milliseconds retry_after{0};
};

class Admission {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  struct Request {
    size_t bytes = 0;
    Priority priority = Priority::kNormal;
    TimePoint deadline;
  };

  explicit Admission(const AdmissionOptions& options);

  // Takes the request, which waits from now on, or says why not.
  std::optional<Rejection> Admit(const Request& request, TimePoint now);
  // A request that waits begins, or goes away: because its deadline passed, or
  // because it was cancelled.
  void Start(const Request& request);
  void Abandon(const Request& request, TimePoint now);
  // A request that began at `started` ends.
  void Finish(const Request& request, TimePoint started, TimePoint now);

  // Requests that wait.
  size_t waiting() const;
  // Longest wait, in seconds, of what is taken with normal priority.
  double limit() const { return limit_; }

 private:
  struct Load {
    void Add(size_t size) { ++requests, bytes += size; }
    void Remove(size_t size) { --requests, bytes -= size; }
    size_t requests = 0, bytes = 0;
  };

  Load& WaitingLike(const Request& request);
  void NoteOutcome(const Request& request, TimePoint now);
  double Target() const;
  double WaitOf(Priority priority) const;
  void NoteStandingQueue(TimePoint now);

  const AdmissionOptions options_;
  RequestCost cost_;
  Load running_;
  std::array<Load, kPriorities> waiting_;   // by priority
  std::array<double, kPriorities> margin_;  // by priority
  double limit_;                            // seconds, of a wait
  TimePoint calm_;  // when the wait was last within the target
};

}  // namespace larr
