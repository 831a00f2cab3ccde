// SPDX-License-Identifier: Apache-2.0
#include "common/tensors/parallel_for.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

namespace larr {
namespace {

TEST_CASE("threads share the work, and each of it is done once") {
  const int before = at::get_num_threads();
  at::set_num_threads(2);
  std::mutex mutex;
  std::set<std::thread::id> threads;
  std::vector<int> times(1000);
  ParallelFor(1000, 10, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) ++times[i];
    const std::lock_guard lock(mutex);
    threads.insert(std::this_thread::get_id());
  });
  CHECK(threads.size() == 2);
  CHECK(std::count(times.begin(), times.end(), 1) == 1000);
  ParallelFor(0, 10, [](int64_t, int64_t) { FAIL("there is nothing to do"); });
  at::set_num_threads(before);
}

}  // namespace
}  // namespace larr
