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

}  // namespace larr
