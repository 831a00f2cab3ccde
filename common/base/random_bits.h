// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace larr {

// The finalizer of SplitMix64: neighbouring numbers become unrelated bits.
inline uint64_t MixBits(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

// Evenly in [0, 1), from even bits. Not std::uniform_real_distribution: its
// draws differ between libraries.
inline double UnitFraction(uint64_t bits) {
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

}  // namespace larr
