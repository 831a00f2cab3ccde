// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/thread_priority.h"

#include <sched.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace larr {
namespace {

constexpr int kLowest = 19;
constexpr uint64_t kShortestSliceNs = 100'000;

// The kernel's sched_attr, which glibc does not know yet.
struct Attributes {
  uint32_t size = sizeof(Attributes);
  uint32_t policy = SCHED_OTHER;
  uint64_t flags = 0;
  int32_t nice = 0;
  uint32_t priority = 0;
  uint64_t runtime = 0;  // Of SCHED_OTHER: the slice, since Linux 6.12.
  uint64_t deadline = 0, period = 0;
};

}  // namespace

void RunNicer(int levels) {
  // Linux has it for each thread.
  setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + levels);
}

void RunInBackground() {
  Attributes attributes;
  attributes.nice = kLowest;
  attributes.runtime = kShortestSliceNs;
  if (syscall(SYS_sched_setattr, 0, &attributes, 0) != 0) RunNicer(kLowest);
}

void RunWhenIdle() {
  const sched_param parameter{};
  if (sched_setscheduler(0, SCHED_IDLE, &parameter) != 0) {
    spdlog::warn("thread_priority a thread of the background is not idle");
  }
}

}  // namespace larr
