// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/poi_cache.h"

#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <thread>

namespace larr {
namespace {

std::shared_ptr<const PreparedPoi> MakePoi(size_t state_bytes) {
  return std::make_shared<const PreparedPoi>(
      PreparedPoi{{.known = true}, std::vector<std::byte>(state_bytes)});
}

TEST_CASE("what was kept is found, what was not is null", "[scoring]") {
  PoiCache cache(1 << 20);
  CHECK(cache.Find("p1") == nullptr);
  const auto poi = MakePoi(10);
  cache.Insert("p1", poi);
  CHECK(cache.Find("p1") == poi);
  CHECK(cache.Find("p2") == nullptr);
  const auto other = MakePoi(20);
  cache.Insert("p1", other);
  CHECK(cache.Find("p1") == other);
  CHECK(cache.size() == 1);
}

TEST_CASE("the budget holds, and what was used last stays", "[scoring]") {
  constexpr size_t kBudget = 4 << 20;
  PoiCache cache(kBudget);
  for (int i = 0; i < 5000; ++i) {
    cache.Insert(fmt::format("p{}", i), MakePoi(4000));
    cache.Find("p0");
    REQUIRE(cache.bytes() <= kBudget);
  }
  CHECK(cache.Find("p0") != nullptr);
  CHECK(cache.Find("p1") == nullptr);
  CHECK(cache.size() < 1010);
  CHECK(cache.size() > 800);  // most of the budget is used
}

TEST_CASE("a POI in use outlives its place", "[scoring]") {
  PoiCache cache(64 * 5000);
  cache.Insert("p0", MakePoi(4000));
  const auto used = cache.Find("p0");
  for (int i = 1; i < 1000; ++i)
    cache.Insert(fmt::format("p{}", i), MakePoi(4000));
  CHECK(cache.Find("p0") == nullptr);
  CHECK(used->state.size() == 4000);
}

TEST_CASE("without a budget nothing is kept", "[scoring]") {
  PoiCache cache(0);
  cache.Insert("p1", MakePoi(1));
  CHECK(cache.Find("p1") == nullptr);
  CHECK(cache.bytes() == 0);
}

TEST_CASE("ids are those that are kept, each once", "[scoring]") {
  PoiCache cache(64 << 20);
  for (int i = 0; i < 1000; ++i)
    cache.Insert(fmt::format("p{}", i % 700), MakePoi(10));
  auto ids = cache.Ids();
  CHECK(ids.size() == 700);
  std::sort(ids.begin(), ids.end());
  CHECK(std::unique(ids.begin(), ids.end()) == ids.end());
}

#if defined(__SANITIZE_ADDRESS__) || defined(_GLIBCXX_TSAN)
constexpr bool kOwnMalloc = false;
#else
constexpr bool kOwnMalloc = true;
#endif

size_t BytesInUse() {
  const auto info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

// Fills a cache with POIs whose row has a text and a number, and compares
// what it counts with what malloc gave.
void CheckCount(int pois, size_t state_bytes) {
  if (!kOwnMalloc) {
    WARN("a sanitizer's malloc keeps no such account");
    return;
  }
  PoiCache cache(size_t{8} << 30);
  const size_t before = BytesInUse();
  for (int i = 0; i < pois; ++i) {
    EncodedPoi encoded{.known = true};
    encoded.row = {std::string("a city's name"), int64_t{i}};
    encoded.missing.resize(3);
    cache.Insert(fmt::format("poi-{}", i),
                 std::make_shared<const PreparedPoi>(PreparedPoi{
                     std::move(encoded), std::vector<std::byte>(state_bytes)}));
  }
  const auto taken = static_cast<double>(BytesInUse() - before);
  const auto counted = static_cast<double>(cache.bytes());
  INFO(
      fmt::format("{} POIs, state {}: {:.0f} bytes a POI counted, {:.0f} taken",
                  pois, state_bytes, counted / pois, taken / pois));
  CHECK(cache.size() == static_cast<size_t>(pois));
  CHECK(counted == Approx(taken).epsilon(0.1));
}

// States of the default architecture, in float32 and in bfloat16.
TEST_CASE("memory of a POI is what is counted", "[scoring]") {
  CheckCount(20'000, 6752);
  CheckCount(20'000, 3648);
}

TEST_CASE("memory of half a million POIs", "[.long][scoring]") {
  CheckCount(500'000, 6752);
  CheckCount(500'000, 3648);
}

TEST_CASE("many threads at once", "[scoring]") {
  PoiCache cache(1 << 20);
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&cache, t] {
      std::mt19937 random(t);
      for (int i = 0; i < 20'000; ++i) {
        const std::string id = fmt::format("p{}", random() % 2000);
        const auto poi = cache.Find(id);
        if (poi == nullptr) cache.Insert(id, MakePoi(random() % 3000));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(cache.bytes() <= 1 << 20);
  CHECK(cache.size() == cache.Ids().size());
}

}  // namespace
}  // namespace larr
