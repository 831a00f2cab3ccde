// SPDX-License-Identifier: Apache-2.0
#include "services/stage/sampling.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

namespace larr::stage {
namespace {

TEST_CASE("A step's draws follow from seed, purpose and step alone") {
  CHECK(StepRandom(1, "a", 2)() == StepRandom(1, "a", 2)());
  CHECK(StepRandom(1, "a", 2)() != StepRandom(1, "a", 3)());
  CHECK(StepRandom(1, "a", 2)() != StepRandom(1, "b", 2)());
  CHECK(StepRandom(1, "a", 2)() != StepRandom(2, "a", 2)());
}

TEST_CASE("DrawDistinct takes each item with the same probability") {
  auto random = StepRandom(1, "t", 0);
  std::vector<int> counts(10);
  for (int round = 0; round < 10000; ++round) {
    const auto items = DrawDistinct(random, 10, 3);
    REQUIRE(std::set(items.begin(), items.end()).size() == 3);
    for (const auto item : items) ++counts.at(item);
  }
  for (const int count : counts) CHECK(std::abs(count - 3000) < 250);
  auto all = DrawDistinct(random, 5, 9);
  std::sort(all.begin(), all.end());
  CHECK(all == std::vector<uint64_t>{0, 1, 2, 3, 4});
}

TEST_CASE("EpochOrder goes through everything before it repeats") {
  EpochOrder order(3, "t", 14);
  std::vector<uint64_t> seen;
  for (int64_t step = 0; step < 7; ++step) {
    const auto items = order.Items(step, 4);
    seen.insert(seen.end(), items.begin(), items.end());
  }
  CHECK(std::set(seen.begin(), seen.begin() + 14).size() == 14);
  CHECK(std::set(seen.begin() + 14, seen.end()).size() == 14);
  CHECK(!std::equal(seen.begin(), seen.begin() + 14, seen.begin() + 14));
}

TEST_CASE(
    "EpochOrder's items follow from the step, whatever was asked before") {
  // What a stage that was begun by an earlier version drew.
  const std::vector<std::pair<int64_t, std::vector<uint64_t>>> expected = {
      {6, {0, 11, 3, 12}},
      {0, {6, 10, 12, 0}},
      {3, {11, 13, 5, 13}},  // The last of an epoch, the first of the next.
      {2, {9, 3, 8, 5}}};
  EpochOrder order(3, "t", 14);
  for (const auto& [step, items] : expected) {
    CAPTURE(step);
    CHECK(order.Items(step, 4) == items);
    CHECK(EpochOrder(3, "t", 14).Items(step, 4) == items);
  }
}

}  // namespace
}  // namespace larr::stage
