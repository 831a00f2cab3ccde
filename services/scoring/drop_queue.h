// SPDX-License-Identifier: Apache-2.0
//
// A queue to one thread that does not matter as much as those that fill it:
// what does not fit is dropped, and nobody waits, not even for the lock while
// the other thread is held up by the scheduler.
//
// Threads: Push by any; Pop by one.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

namespace larr {

template <typename T>
class DropQueue {
 public:
  // Holds items of up to `capacity` in sum, in a unit of the caller's.
  explicit DropQueue(size_t capacity) : capacity_(capacity) {}

  // Whether an item of `size` would be taken now: spares making it.
  bool HasRoom(size_t size) const { return used_ + size <= capacity_; }

  // False if it was dropped.
  bool Push(T item, size_t size) {
    {
      std::unique_lock lock(mutex_, std::defer_lock);
      for (int i = 0; i < kTries && !lock.owns_lock(); ++i) {
        static_cast<void>(lock.try_lock());
      }
      if (!lock.owns_lock() || closed_ || !HasRoom(size)) return false;
      used_ += size;
      items_.push_back({std::move(item), size});
    }
    filled_.notify_one();
    return true;
  }

  // Waits for an item. Nothing once the queue is closed and empty.
  std::optional<T> Pop() {
    std::unique_lock lock(mutex_);
    filled_.wait(lock, [this] { return closed_ || !items_.empty(); });
    if (items_.empty()) return std::nullopt;
    Item item = std::move(items_.front());
    items_.pop_front();
    used_ -= item.size;
    return std::move(item.value);
  }

  // What was taken can still be popped; nothing more is taken.
  void Close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    filled_.notify_one();
  }

  // Closes, and drops what waits.
  void Discard() {
    Close();
    const std::lock_guard lock(mutex_);
    items_.clear();
  }

 private:
  struct Item {
    T value;
    size_t size;
  };

  // Of the lock: some microseconds, where a holder that runs needs less than
  // one.
  static constexpr int kTries = 200;

  const size_t capacity_;
  std::atomic<size_t> used_ = 0;
  std::mutex mutex_;  // guards what follows, and the writing of used_
  std::condition_variable filled_;
  std::deque<Item> items_;
  bool closed_ = false;
};

}  // namespace larr
