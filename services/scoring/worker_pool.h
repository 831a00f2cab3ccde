// SPDX-License-Identifier: Apache-2.0
//
// A fixed number of threads behind a bounded queue: a server computes with as
// many threads as it was given, and refuses what it cannot soon begin.
//
// Threads: safe. Errors: none; Submit says whether the work was taken.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace larr {

class WorkerPool {
 public:
  // REQUIRES: threads > 0
  WorkerPool(int threads, size_t queue_capacity);
  // Finishes what was taken.
  ~WorkerPool();

  // Takes `work`, to be run once on one of the threads. False if the queue is
  // full: `work` was not taken.
  bool Submit(std::function<void()> work);

 private:
  void Run();

  const size_t queue_capacity_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace larr
