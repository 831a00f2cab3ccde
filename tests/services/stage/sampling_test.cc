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
  for (int64_t i = 0; i < 28; ++i) seen.push_back(order.Item(i));
  CHECK(std::set(seen.begin(), seen.begin() + 14).size() == 14);
  CHECK(std::set(seen.begin() + 14, seen.end()).size() == 14);
  CHECK(!std::equal(seen.begin(), seen.begin() + 14, seen.begin() + 14));
}

TEST_CASE(
    "EpochOrder's items follow from the position, whatever was asked before") {
  // Four from position 4 * first on: what an earlier version drew.
  const std::vector<std::pair<int64_t, std::vector<uint64_t>>> expected = {
      {6, {0, 11, 3, 12}},
      {0, {6, 10, 12, 0}},
      {3, {11, 13, 5, 13}},  // The last of an epoch, the first of the next.
      {2, {9, 3, 8, 5}}};
  EpochOrder order(3, "t", 14);
  for (const auto& [first, items] : expected) {
    for (int64_t i = 0; i < 4; ++i) {
      CAPTURE(first, i);
      CHECK(order.Item(4 * first + i) == items[i]);
      CHECK(EpochOrder(3, "t", 14).Item(4 * first + i) == items[i]);
    }
  }
}

}  // namespace
}  // namespace larr::stage
