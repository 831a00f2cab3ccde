// SPDX-License-Identifier: Apache-2.0
//
// Random choices that are functions of (seed, purpose, step) and nothing else,
// so that a stage which was killed draws the same batches again.
#pragma once

#include <cstdint>
#include <random>
#include <string>
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

// All of `size` items in random order, again and again in another one. Keeps
// the order of one epoch: shuffled when a position needs another epoch's, so
// that positions in their order cost little, and any other order is right too.
//
// Threads: one at a time.
class EpochOrder {
 public:
  EpochOrder(uint64_t seed, std::string purpose, uint64_t size);

  // The item at a position, counted from 0 over all epochs: a function of
  // (seed, purpose, size, position). REQUIRES: size > 0
  uint64_t Item(int64_t position);

 private:
  void ShuffleFor(int64_t epoch);

  uint64_t seed_;
  std::string purpose_;
  std::vector<uint64_t> order_;
  int64_t epoch_ = -1;  // That `order_` is of.
};

}  // namespace larr::stage
