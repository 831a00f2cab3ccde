// SPDX-License-Identifier: Apache-2.0
//
// Sixteen numbers at once, for the sources of kernels alone: all of it is
// inlined into functions that LARR_CLONES compiles for AVX-512, AVX2 and plain
// x86-64, chosen at start.
//
// Threads: pure functions of their arguments.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "common/simd/bf16.h"

#if defined(__x86_64__)
#define LARR_CLONES \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define LARR_CLONES
#endif
#define LARR_INLINE [[gnu::always_inline]] inline

namespace larr::kernels {

inline constexpr int kLanes = 16;
inline constexpr float kLowest = -1e30f;
using Vec = float __attribute__((vector_size(64)));
using IntVec = int32_t __attribute__((vector_size(64)));
using UintVec = uint32_t __attribute__((vector_size(64)));
using HalfVec = uint16_t __attribute__((vector_size(32)));

LARR_INLINE void Load(const float* from, Vec& to) { memcpy(&to, from, 64); }
LARR_INLINE void Load(const Bf16* from, Vec& to) {
  HalfVec bits;
  memcpy(&bits, from, 32);
  const UintVec wide = __builtin_convertvector(bits, UintVec) << 16;
  memcpy(&to, &wide, 64);
}
LARR_INLINE void Store(const Vec& from, float* to) { memcpy(to, &from, 64); }
// Rounds to nearest, ties to even.
LARR_INLINE void Store(const Vec& from, Bf16* to) {
  UintVec wide;
  memcpy(&wide, &from, 64);
  wide = (wide + 0x7fff + ((wide >> 16) & 1)) >> 16;
  const HalfVec bits = __builtin_convertvector(wide, HalfVec);
  memcpy(to, &bits, 32);
}

// The first n lanes; the others are zero, or not written.
template <typename T>
LARR_INLINE void LoadPart(const T* from, int64_t n, Vec& to) {
  if (n >= kLanes) return Load(from, to);
  T part[kLanes] = {};
  memcpy(part, from, n * sizeof(T));
  Load(part, to);
}
template <typename T>
LARR_INLINE void StorePart(const Vec& from, int64_t n, T* to) {
  if (n >= kLanes) return Store(from, to);
  T part[kLanes];
  Store(from, part);
  memcpy(to, part, n * sizeof(T));
}

// The lanes, the upper half before the lower, and so on down to single ones.
LARR_INLINE Vec Swapped(const Vec& x, int half) {
  switch (half) {
    case 8:
      return __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1,
                                     2, 3, 4, 5, 6, 7);
    case 4:
      return __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14,
                                     15, 8, 9, 10, 11);
    case 2:
      return __builtin_shufflevector(x, x, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9,
                                     14, 15, 12, 13);
    default:
      return __builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10,
                                     13, 12, 15, 14);
  }
}

LARR_INLINE float Sum(Vec x) {
  for (const int half : {8, 4, 2, 1}) x += Swapped(x, half);
  return x[0];
}

LARR_INLINE float Max(Vec x) {
  for (const int half : {8, 4, 2, 1}) {
    const Vec other = Swapped(x, half);
    x = x > other ? x : other;
  }
  return x[0];
}

// e^x to 2 units in the last place: 2^n times a polynomial on half an octave.
LARR_INLINE Vec Exp(Vec x) {
  const Vec low = Vec{} - 87.0f, high = Vec{} + 88.0f;
  x = x < low ? low : x;
  x = x > high ? high : x;
  const Vec shifted = x * 1.44269504f + 12582912.0f;
  const Vec n = shifted - 12582912.0f;
  const Vec r = x - n * 0.693359375f + n * 2.12194440e-4f;
  Vec p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const IntVec power = (__builtin_convertvector(n, IntVec) + 127) << 23;
  Vec scale;
  memcpy(&scale, &power, 64);
  return p * scale;
}

// x with its lanes from n on replaced.
LARR_INLINE Vec Inside(const Vec& x, int64_t n, float other) {
  const IntVec lanes = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  return lanes < static_cast<int32_t>(std::min<int64_t>(n, kLanes))
             ? x
             : Vec{} + other;
}

LARR_INLINE Vec SquareRoot(Vec x) {
  for (int i = 0; i < kLanes; ++i) x[i] = __builtin_sqrtf(x[i]);
  return x;
}

}  // namespace larr::kernels
