// SPDX-License-Identifier: Apache-2.0
//
// The threads that score, and the requests that wait for them: the more
// important first, of those the one that is due first. What is late or was
// cancelled meanwhile is dropped before anything is computed for it.
//
// The threads run kNicer nice levels below the rest of the process, so that
// refusals are sent promptly where all share one core.
//
// Ownership:  borrows the metrics.
// Threads:    safe. Calls back on its own threads and on that of Submit, with
//             no lock held.
#pragma once

#include <array>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "services/scoring/admission.h"
#include "services/scoring/admission_metrics.h"

namespace larr {

inline constexpr int kNicer = 5;

// A request. Exactly one of Run, Drop and Refuse is called, once; then it is
// destroyed.
class Work {
 public:
  virtual ~Work() = default;
  // True if nobody waits for the answer any more. Called with a lock held.
  virtual bool IsCancelled() const = 0;

  virtual void Run() = 0;                               // It is its turn.
  virtual void Drop(DropReason reason) = 0;             // It waited in vain.
  virtual void Refuse(const Rejection& rejection) = 0;  // It may not wait.
};

class WorkQueue {
 public:
  WorkQueue(const AdmissionOptions& options, AdmissionMetrics& metrics);
  // Finishes what was taken.
  ~WorkQueue();

  void Submit(const Admission::Request& request, std::unique_ptr<Work> work);

 private:
  using TimePoint = Admission::TimePoint;

  struct Entry {
    Admission::Request request;
    TimePoint arrival;
    std::unique_ptr<Work> work;
  };
  struct Dropped {
    DropReason reason;
    std::unique_ptr<Work> work;
  };

  // Takes `work`, unless it says why not.
  std::optional<Rejection> Enter(const Admission::Request& request,
                                 std::unique_ptr<Work>& work,
                                 std::vector<Dropped>& dropped);
  // These take from waiting_ and want the lock.
  void TakeExpired(TimePoint now, std::vector<Dropped>& dropped);
  // True if there was some.
  bool TakeCancelled(TimePoint now, std::vector<Dropped>& dropped);
  std::optional<Entry> TakeNext(TimePoint now, std::vector<Dropped>& dropped);

  void Drop(const std::vector<Dropped>& dropped);
  void RunThread();

  AdmissionMetrics& metrics_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  Admission admission_;
  // By priority, then deadline.
  std::array<std::multimap<TimePoint, Entry>, kPriorities> waiting_;
  bool stopping_ = false;

  std::vector<std::thread> threads_;  // last: they use the rest
};

}  // namespace larr
