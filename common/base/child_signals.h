// SPDX-License-Identifier: Apache-2.0
//
// Signals around fork and exec: between the two a child has its parent's
// handlers, which must not run there.
//
//   const HeldSignals held;
//   const pid_t pid = fork();
//   if (pid == 0) ...  // the child: TakeSignals(), then exec
#pragma once

#include <signal.h>

namespace larr {

// While it lives, signals to this thread, and to what it forks, wait.
class HeldSignals {
 public:
  HeldSignals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~HeldSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;

 private:
  sigset_t before_;
};

// In the child: the signals that programs of ours handle or ignore do what they
// do by default, also those that waited. Async-signal-safe.
inline void TakeSignals() {
  for (const int number : {SIGINT, SIGPIPE, SIGTERM}) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace larr
