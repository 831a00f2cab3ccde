// SPDX-License-Identifier: Apache-2.0
#include "services/stage/group_sample.h"

#include <catch2/catch.hpp>
#include <string>

#include "common/dataset/split.h"

namespace larr::stage {
namespace {

TEST_CASE("a sample is a share of the groups, and the same for ever") {
  int sampled = 0;
  for (int i = 0; i < 10'000; ++i) {
    const uint64_t key = GroupKey("user-" + std::to_string(i));
    sampled += IsSampled(key, 0.1);
    CHECK_FALSE(IsSampled(key, 0));
    CHECK(IsSampled(key, 1));
    // In every sample that is larger.
    if (IsSampled(key, 0.1)) CHECK(IsSampled(key, 0.2));
  }
  CHECK(sampled == Approx(1000).margin(100));
  // Results on disk are compared by it.
  CHECK(GroupKey("user-1") == 3436014302303469286u);
}

TEST_CASE("the groups of a test part are sampled like any others") {
  config::v1::Split split;
  split.mutable_hash()->set_column("user");
  split.mutable_hash()->set_validation_fraction(0.1);
  split.mutable_hash()->set_test_fraction(0.1);
  const auto splitter = Splitter::Create(split).value();
  int test = 0, sampled = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string group = std::to_string(i);
    if (splitter.OfValue(group) != Part::kTest) continue;
    ++test;
    sampled += IsSampled(GroupKey(group), 0.25);
  }
  CHECK(test > 1000);
  CHECK(sampled == Approx(test / 4.0).margin(test / 20.0));
}

}  // namespace
}  // namespace larr::stage
