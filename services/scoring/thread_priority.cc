// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/thread_priority.h"

#include <sched.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>

namespace larr {

void RunNicer(int levels) {
  // Linux has it for each thread.
  setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + levels);
}

void RunWhenIdle() {
  const sched_param parameter{};
  if (sched_setscheduler(0, SCHED_IDLE, &parameter) != 0) {
    spdlog::warn("thread_priority a thread of the background is not idle");
  }
}

}  // namespace larr
