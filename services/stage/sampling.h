// SPDX-License-Identifier: Apache-2.0
//
// Random choices that are functions of (seed, purpose, step) and nothing else,
// so that a stage which was killed draws the same batches again.
#pragma once

#include <cstdint>
#include <random>
#include <string_view>
#include <vector>

namespace larr::stage {

// A generator for one purpose in one step.
std::mt19937_64 StepRandom(uint64_t seed, std::string_view purpose,
                           int64_t step);

// A number in [0, bound). REQUIRES: bound > 0
uint64_t Draw(std::mt19937_64& random, uint64_t bound);
// A number in [0, 1).
double DrawUnit(std::mt19937_64& random);

// Shuffles in place.
template <typename T>
void Shuffle(std::mt19937_64& random, std::vector<T>& items) {
  for (size_t i = items.size(); i > 1; --i)
    std::swap(items[i - 1], items[Draw(random, i)]);
}

// min(count, size) different numbers below `size`, in random order. Time and
// memory grow with `count` alone.
std::vector<uint64_t> DrawDistinct(std::mt19937_64& random, uint64_t size,
                                   uint64_t count);

// The items of a step when all `size` items are gone through in random order,
// again and again, `count` a step. REQUIRES: size > 0
std::vector<uint64_t> EpochItems(uint64_t seed, std::string_view purpose,
                                 uint64_t size, int64_t step, int64_t count);

}  // namespace larr::stage
