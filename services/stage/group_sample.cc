// SPDX-License-Identifier: Apache-2.0
#include "services/stage/group_sample.h"

#include <xxhash.h>

#include "common/base/random_bits.h"

namespace larr::stage {
namespace {

// Far from the seeds that a dataset is split with: a sample is no part.
constexpr uint64_t kSeed = 0x67617563'67726f75;

}  // namespace

uint64_t GroupKey(std::string_view group) {
  return XXH3_64bits_withSeed(group.data(), group.size(), kSeed);
}

bool IsSampled(uint64_t key, double fraction) {
  return UnitFraction(key) < fraction;
}

}  // namespace larr::stage
