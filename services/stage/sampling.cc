// SPDX-License-Identifier: Apache-2.0
#include "services/stage/sampling.h"

#include <xxhash.h>

#include <algorithm>
#include <numeric>
#include <unordered_set>
#include <utility>

#include "common/base/random_bits.h"

namespace larr::stage {

std::mt19937_64 StepRandom(uint64_t seed, std::string_view purpose,
                           int64_t step) {
  const uint64_t of_purpose =
      XXH3_64bits_withSeed(purpose.data(), purpose.size(), seed);
  return std::mt19937_64(XXH3_64bits_withSeed(&step, sizeof step, of_purpose));
}

uint64_t Draw(std::mt19937_64& random, uint64_t bound) {
  // The bias, bound / 2^64, is far below anything that could be measured.
  return static_cast<uint64_t>(
      (static_cast<unsigned __int128>(random()) * bound) >> 64);
}

double DrawUnit(std::mt19937_64& random) { return UnitFraction(random()); }

// Floyd's algorithm.
std::vector<uint64_t> DrawDistinct(std::mt19937_64& random, uint64_t size,
                                   uint64_t count) {
  count = std::min(count, size);
  std::unordered_set<uint64_t> taken;
  std::vector<uint64_t> out;
  for (uint64_t last = size - count; last < size; ++last) {
    uint64_t item = Draw(random, last + 1);
    if (!taken.insert(item).second) taken.insert(item = last);
    out.push_back(item);
  }
  Shuffle(random, out);
  return out;
}

EpochOrder::EpochOrder(uint64_t seed, std::string purpose, uint64_t size)
    : seed_(seed), purpose_(std::move(purpose)), order_(size) {}

void EpochOrder::ShuffleFor(int64_t epoch) {
  if (epoch == epoch_) return;
  std::iota(order_.begin(), order_.end(), 0);
  auto random = StepRandom(seed_, purpose_, epoch);
  Shuffle(random, order_);
  epoch_ = epoch;
}

uint64_t EpochOrder::Item(int64_t position) {
  const auto size = static_cast<int64_t>(order_.size());
  ShuffleFor(position / size);
  return order_[position % size];
}

}  // namespace larr::stage
