// SPDX-License-Identifier: Apache-2.0
//
// Holds up threads that the tested object owns, until the test lets them go.
// It opens when it is destroyed, so that a failed REQUIRE does not leave the
// object waiting for its own thread: declare it after the object. Of the
// standard library, which TSan understands.
#pragma once

#include <functional>
#include <future>

namespace larr::testing {

class Gate {
 public:
  Gate() = default;
  ~Gate() { Open(); }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  void Open() {
    if (!opened_) open_.set_value();
    opened_ = true;
  }
  // Returns once the gate is open. The function may outlive the gate.
  std::function<void()> waiter() const {
    return [opening = opening_] { opening.wait(); };
  }

 private:
  bool opened_ = false;
  std::promise<void> open_;
  const std::shared_future<void> opening_ = open_.get_future().share();
};

}  // namespace larr::testing
