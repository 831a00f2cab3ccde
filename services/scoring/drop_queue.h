// SPDX-License-Identifier: Apache-2.0
//
// A queue to one thread that does not matter as much as those that fill it:
// what does not fit is dropped, and who fills it never waits. There is no lock,
// which the other thread could hold while the scheduler holds it up.
//
// Threads: Push by any; Pop by one; Close and Discard by any, after the last
//          Push.
#pragma once

#include <atomic>
#include <cstddef>
#include <optional>
#include <utility>

namespace larr {

template <typename T>
class DropQueue {
 public:
  // Holds items of up to `capacity` in sum, in a unit of the caller's.
  explicit DropQueue(size_t capacity) : capacity_(capacity) {}
  ~DropQueue() {
    Free(pushed_);
    Free(ready_);
  }
  DropQueue(const DropQueue&) = delete;
  DropQueue& operator=(const DropQueue&) = delete;

  // Whether an item of `size` would be taken now: spares making it.
  bool HasRoom(size_t size) const { return used_ + size <= capacity_; }

  // False if it was dropped.
  bool Push(T item, size_t size) {
    if (closed_) return false;
    if (used_.fetch_add(size) + size > capacity_) {
      used_ -= size;
      return false;
    }
    Add(new Node{std::move(item), size});
    return true;
  }

  // Waits for an item. Nothing once the queue is closed and empty.
  std::optional<T> Pop() {
    while (!discarded_) {
      const bool closed = closed_;  // Asked before the last look.
      if (ready_ == nullptr) Fetch();
      if (ready_ == nullptr) {
        if (closed) return std::nullopt;
        pushed_.wait(nullptr);
        continue;
      }
      Node* node = std::exchange(ready_, ready_->next);
      std::optional<T> value = std::move(node->value);
      used_ -= node->size;
      delete node;
      if (value.has_value()) return value;
    }
    return std::nullopt;
  }

  // What was taken can still be popped; nothing more is taken.
  void Close() {
    closed_ = true;
    Add(new Node{std::nullopt, 0});  // Wakes the reader.
  }

  // Closes, and drops what waits.
  void Discard() {
    discarded_ = true;
    Close();
  }

 private:
  struct Node {
    std::optional<T> value;
    size_t size = 0;
    Node* next = nullptr;
  };

  void Add(Node* node) {
    node->next = pushed_;
    while (!pushed_.compare_exchange_weak(node->next, node)) {
    }
    pushed_.notify_one();
  }

  // Takes all that was pushed, which stands in reverse.
  void Fetch() {
    Node* pushed = pushed_.exchange(nullptr);
    while (pushed != nullptr) {
      Node* next = std::exchange(pushed->next, ready_);
      ready_ = std::exchange(pushed, next);
    }
  }

  static void Free(Node* node) {
    while (node != nullptr) delete std::exchange(node, node->next);
  }

  const size_t capacity_;
  std::atomic<size_t> used_ = 0;
  std::atomic<bool> closed_ = false, discarded_ = false;
  std::atomic<Node*> pushed_ = nullptr;  // The newest first.
  Node* ready_ = nullptr;                // The reader's: the oldest first.
};

}  // namespace larr
