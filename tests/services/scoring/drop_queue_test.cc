// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/drop_queue.h"

#include <catch2/catch.hpp>
#include <thread>
#include <vector>

namespace larr {
namespace {

TEST_CASE("A queue takes what fits and drops the rest", "[scoring]") {
  DropQueue<int> queue(10);
  CHECK(queue.Push(1, 6));
  CHECK(queue.HasRoom(4));
  CHECK_FALSE(queue.HasRoom(5));
  CHECK_FALSE(queue.Push(2, 5));
  CHECK(queue.Push(3, 4));
  CHECK(queue.Pop() == 1);
  CHECK(queue.HasRoom(6));
  queue.Close();
  CHECK_FALSE(queue.Push(4, 1));
  CHECK(queue.Pop() == 3);
  CHECK(queue.Pop() == std::nullopt);
}

TEST_CASE("A queue that is discarded ends its reader at once", "[scoring]") {
  DropQueue<int> queue(10);
  CHECK(queue.Push(1, 1));
  queue.Discard();
  CHECK(queue.Pop() == std::nullopt);
}

TEST_CASE("What was pushed is popped once, by any number of writers",
          "[scoring]") {
  constexpr int kEach = 20'000;
  DropQueue<int> queue(100);
  std::vector<std::thread> writers;
  std::atomic<int64_t> taken = 0, pushed_sum = 0;
  for (int w = 0; w < 3; ++w) {
    writers.emplace_back([&] {
      for (int i = 1; i <= kEach; ++i) {
        if (!queue.Push(i, 1)) continue;
        ++taken;
        pushed_sum += i;
      }
    });
  }
  int64_t popped = 0, popped_sum = 0;
  std::thread reader([&] {
    while (const auto item = queue.Pop()) {
      ++popped;
      popped_sum += *item;
    }
  });
  for (std::thread& writer : writers) writer.join();
  queue.Close();
  reader.join();
  CHECK(taken > 0);
  CHECK(popped == taken);
  CHECK(popped_sum == pushed_sum);
}

}  // namespace
}  // namespace larr
