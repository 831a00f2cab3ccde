// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/worker_pool.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <future>
#include <set>

namespace larr {
namespace {

TEST_CASE("A pool runs everything that it took, in its threads", "[scoring]") {
  std::atomic<int> done = 0;
  std::set<std::thread::id> ids;
  std::mutex mutex;
  {
    WorkerPool pool(2, 1000);
    for (int i = 0; i < 100; ++i) {
      REQUIRE(pool.Submit([&] {
        const std::lock_guard lock(mutex);
        ids.insert(std::this_thread::get_id());
        ++done;
      }));
    }
  }  // waits
  CHECK(done == 100);
  CHECK(ids.size() <= 2);
  CHECK_FALSE(ids.contains(std::this_thread::get_id()));
}

TEST_CASE("A full queue refuses work and keeps what it has", "[scoring]") {
  std::atomic<int> done = 0;
  {
    std::promise<void> started, release;  // outlive the thread that uses them
    WorkerPool pool(1, 2);
    REQUIRE(pool.Submit([&] {
      started.set_value();
      release.get_future().wait();
      ++done;
    }));
    started.get_future().wait();
    CHECK(pool.Submit([&] { ++done; }));
    CHECK(pool.Submit([&] { ++done; }));
    CHECK_FALSE(pool.Submit([&] { done += 100; }));
    release.set_value();
  }
  CHECK(done == 3);
}

}  // namespace
}  // namespace larr
