// SPDX-License-Identifier: Apache-2.0
//
// A known number of items, each made on another thread while the one before it
// is used.
//
// Threads: one at a time. `make` never runs twice at once. It is not run after
//          an error or after the last item: once that one is there, or Stop
//          returned, all that `make` works on is the caller's again.
#pragma once

#include <cstdint>
#include <functional>
#include <future>
#include <utility>

#include "absl/status/statusor.h"

namespace larr {

template <typename T>
class ReadAhead {
 public:
  // Begins with the first of `count` items. The destructor waits for the one
  // that is being made, so what `make` works on must outlive the object.
  ReadAhead(int64_t count, std::function<absl::StatusOr<T>()> make)
      : left_(count), make_(std::move(make)) {
    Start();
  }
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  // REQUIRES: it was called less than `count` times, and gave no error.
  absl::StatusOr<T> Next() {
    auto item = next_.get();
    if (item.ok()) Start();
    return item;
  }

  // For a caller that needs no more: waits for the item that is being made.
  void Stop() {
    if (next_.valid()) next_.wait();
  }

 private:
  void Start() {
    if (left_ <= 0) return;
    --left_;
    next_ = std::async(std::launch::async, std::cref(make_));
  }

  int64_t left_;
  const std::function<absl::StatusOr<T>()> make_;
  std::future<absl::StatusOr<T>> next_;  // Last: its destructor waits.
};

}  // namespace larr
