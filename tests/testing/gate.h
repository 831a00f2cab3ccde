// SPDX-License-Identifier: Apache-2.0
//
// Holds up threads that the tested object owns, until the test lets them go.
// It opens when it is destroyed, so that a failed REQUIRE does not leave the
// object waiting for its own thread: declare it after the object.
#pragma once

#include <functional>
#include <memory>

#include "absl/synchronization/notification.h"

namespace larr::testing {

class Gate {
 public:
  Gate() = default;
  ~Gate() { Open(); }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  void Open() {
    if (!open_->HasBeenNotified()) open_->Notify();
  }
  // Returns once the gate is open. The function may outlive the gate.
  std::function<void()> waiter() const {
    return [open = open_] { open->WaitForNotification(); };
  }

 private:
  const std::shared_ptr<absl::Notification> open_ =
      std::make_shared<absl::Notification>();
};

}  // namespace larr::testing
