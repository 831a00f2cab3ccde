// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/work_queue.h"

#include <iterator>
#include <utility>

#include "services/scoring/thread_priority.h"

namespace larr {
namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

WorkQueue::WorkQueue(const AdmissionOptions& options, AdmissionMetrics& metrics)
    : metrics_(metrics), admission_(options) {
  metrics_.SetLimit(admission_.limit());
  for (int i = 0; i < options.threads; ++i) {
    threads_.emplace_back([this] { RunThread(); });
  }
}

WorkQueue::~WorkQueue() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void WorkQueue::Submit(const Admission::Request& request,
                       std::unique_ptr<Work> work) {
  std::vector<Dropped> dropped;
  if (const auto rejection = Enter(request, work, dropped)) {
    metrics_.CountRejected(rejection->reason);
    work->Refuse(*rejection);
  } else {
    metrics_.CountAdmitted();
    changed_.notify_one();
  }
  Drop(dropped);
}

std::optional<Rejection> WorkQueue::Enter(const Admission::Request& request,
                                          std::unique_ptr<Work>& work,
                                          std::vector<Dropped>& dropped) {
  const std::lock_guard lock(mutex_);
  const TimePoint now = Clock::now();
  TakeExpired(now, dropped);
  auto rejection = admission_.Admit(request, now);
  // What was cancelled meanwhile must not stand in its way.
  if (rejection && TakeCancelled(now, dropped)) {
    rejection = admission_.Admit(request, now);
  }
  if (!rejection) {
    waiting_[static_cast<size_t>(request.priority)].emplace(
        request.deadline, Entry{request, now, std::move(work)});
  }
  metrics_.SetQueueLength(admission_.waiting());
  metrics_.SetLimit(admission_.limit());
  return rejection;
}

void WorkQueue::TakeExpired(TimePoint now, std::vector<Dropped>& dropped) {
  for (auto& queue : waiting_) {
    while (!queue.empty() && queue.begin()->first <= now) {
      auto node = queue.extract(queue.begin());
      admission_.Abandon(node.mapped().request, now);
      dropped.push_back({DropReason::kExpired, std::move(node.mapped().work)});
    }
  }
}

bool WorkQueue::TakeCancelled(TimePoint now, std::vector<Dropped>& dropped) {
  const size_t before = dropped.size();
  for (auto& queue : waiting_) {
    for (auto entry = queue.begin(); entry != queue.end();) {
      const auto next = std::next(entry);
      if (entry->second.work->IsCancelled()) {
        auto node = queue.extract(entry);
        admission_.Abandon(node.mapped().request, now);
        dropped.push_back(
            {DropReason::kCancelled, std::move(node.mapped().work)});
      }
      entry = next;
    }
  }
  return dropped.size() > before;
}

std::optional<WorkQueue::Entry> WorkQueue::TakeNext(
    TimePoint now, std::vector<Dropped>& dropped) {
  TakeExpired(now, dropped);
  for (size_t priority = kPriorities; priority-- > 0;) {
    auto& queue = waiting_[priority];
    while (!queue.empty()) {
      Entry entry = std::move(queue.extract(queue.begin()).mapped());
      if (!entry.work->IsCancelled()) {
        admission_.Start(entry.request);
        return entry;
      }
      admission_.Abandon(entry.request, now);
      dropped.push_back({DropReason::kCancelled, std::move(entry.work)});
    }
  }
  return std::nullopt;
}

void WorkQueue::Drop(const std::vector<Dropped>& dropped) {
  for (const auto& [reason, work] : dropped) {
    metrics_.CountDropped(reason);
    work->Drop(reason);
  }
}

void WorkQueue::RunThread() {
  RunNicer(kNicer);
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock,
                  [this] { return stopping_ || admission_.waiting() > 0; });
    if (admission_.waiting() == 0) return;
    const TimePoint started = Clock::now();
    std::vector<Dropped> dropped;
    std::optional<Entry> next = TakeNext(started, dropped);
    metrics_.SetQueueLength(admission_.waiting());
    lock.unlock();
    Drop(dropped);
    if (next) {
      metrics_.CountBegun(
          std::chrono::duration<double>(started - next->arrival).count());
      next->work->Run();
      next->work.reset();
    }
    lock.lock();
    if (next) admission_.Finish(next->request, started, Clock::now());
  }
}

}  // namespace larr
