// SPDX-License-Identifier: Apache-2.0
#include "services/stage/sampling.h"

#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <unordered_set>

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

double DrawUnit(std::mt19937_64& random) {
  return std::ldexp(static_cast<double>(random() >> 11), -53);
}

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

std::vector<uint64_t> EpochItems(uint64_t seed, std::string_view purpose,
                                 uint64_t size, int64_t step, int64_t count) {
  std::vector<uint64_t> order(size), out;
  int64_t epoch_of_order = -1;
  for (int64_t i = step * count; i < (step + 1) * count; ++i) {
    const int64_t epoch = i / static_cast<int64_t>(size);
    if (epoch != epoch_of_order) {
      std::iota(order.begin(), order.end(), 0);
      auto random = StepRandom(seed, purpose, epoch);
      Shuffle(random, order);
      epoch_of_order = epoch;
    }
    out.push_back(order[i % static_cast<int64_t>(size)]);
  }
  return out;
}

}  // namespace larr::stage
