// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/thread_priority.h"

#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <thread>

namespace larr {

TEST_CASE("Priority is that of the calling thread alone", "[scoring]") {
  const int nice = getpriority(PRIO_PROCESS, 0);
  const int policy = sched_getscheduler(0);
  int nicer = -100, lowest = -100, background = -100, idle = -1;
  std::thread([&] {
    RunNicer(3);
    nicer = getpriority(PRIO_PROCESS, 0);
    RunNicer(100);
    lowest = getpriority(PRIO_PROCESS, 0);
    RunWhenIdle();
    idle = sched_getscheduler(0);
  }).join();
  std::thread([&] {
    RunInBackground();
    background = getpriority(PRIO_PROCESS, 0);
  }).join();
  CHECK(nicer == std::min(nice + 3, 19));
  CHECK(lowest == 19);
  CHECK(background == 19);
  CHECK(idle == SCHED_IDLE);
  CHECK(getpriority(PRIO_PROCESS, 0) == nice);
  CHECK(sched_getscheduler(0) == policy);
}

}  // namespace larr
