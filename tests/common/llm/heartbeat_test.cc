// SPDX-License-Identifier: Apache-2.0
#include "common/llm/heartbeat.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <optional>
#include <torch/csrc/distributed/c10d/HashStore.hpp>

#include "tests/testing/program.h"

namespace larr {
namespace {

using std::chrono::milliseconds;

constexpr HeartbeatOptions kFast{milliseconds(10), milliseconds(1000)};

// A store whose machine can go away, with or without an error.
class MortalStore : public c10d::HashStore {
 public:
  int64_t add(const std::string& key, int64_t value) override {
    if (broken) throw std::runtime_error("connection reset");
    while (silent) std::this_thread::sleep_for(milliseconds(5));
    return c10d::HashStore::add(key, value);
  }
  std::atomic<bool> broken = false, silent = false;
};

TEST_CASE("Ranks that beat are there; one that stops is named") {
  const auto store = c10::make_intrusive<MortalStore>();
  Heartbeat first(store, 0, 3, kFast), second(store, 1, 3, kFast);
  std::optional<Heartbeat> third(std::in_place, store, 2, 3, kFast);
  std::this_thread::sleep_for(milliseconds(1500));
  CHECK(first.Lost().empty());
  third.reset();
  REQUIRE(testing::Eventually([&] { return !first.Lost().empty(); }));
  CHECK_THAT(first.Lost(), Catch::Contains("rank 2 gave no sign of life"));
  REQUIRE(testing::Eventually([&] { return !second.Lost().empty(); }));
}

TEST_CASE("A store that breaks or falls silent is the loss of rank 0") {
  const auto store = c10::make_intrusive<MortalStore>();
  Heartbeat one(store, 1, 2, kFast);
  SECTION("breaks") {
    store->broken = true;
    REQUIRE(testing::Eventually([&] { return !one.Lost().empty(); }));
    CHECK_THAT(one.Lost(), Catch::Contains("rank 0") && Catch::Contains("end"));
  }
  SECTION("silent") {
    store->silent = true;
    REQUIRE(testing::Eventually([&] { return !one.Lost().empty(); }));
    CHECK_THAT(one.Lost(), Catch::Contains("does not answer"));
    store->silent = false;
  }
}

}  // namespace
}  // namespace larr
