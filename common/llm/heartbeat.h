// SPDX-License-Identifier: Apache-2.0
//
// Tells a rank that is slow from one that is gone. Each rank counts up its own
// key of the shared store from a thread of its own, whatever its other threads
// compute, and watches the counts of the others. A connection that breaks says
// more and sooner; a machine that lost its power or its network, or a process
// that is stopped, says nothing.
//
// Threads: Lost() may be called from any.
#pragma once

#include <c10/util/intrusive_ptr.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <torch/csrc/distributed/c10d/Store.hpp>

namespace larr {

struct HeartbeatOptions {
  std::chrono::milliseconds interval{3000};
  // A count that stands still for so long is that of a lost rank.
  std::chrono::milliseconds limit{30000};
};

class Heartbeat {
 public:
  // The store is used by nothing else from now on.
  Heartbeat(c10::intrusive_ptr<c10d::Store> store, int rank, int size,
            const HeartbeatOptions& options = {});
  ~Heartbeat();
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;

  // Which rank is gone and how that shows; empty while all are there.
  std::string Lost() const;

 private:
  struct State;
  std::shared_ptr<State> state_;  // outlives a thread that the store holds up
  std::thread thread_;
};

}  // namespace larr
