// SPDX-License-Identifier: Apache-2.0
//
// bfloat16, the upper half of a float32: what kernels compute with, and what
// snapshots store in the machine's (little-endian) byte order.
#pragma once

#include <bit>
#include <cstdint>

namespace larr::kernels {

// By its bits.
struct Bf16 {
  uint16_t bits;
};

static_assert(std::endian::native == std::endian::little);

// Rounds to the nearest, ties to even. REQUIRES: `value` is not a NaN.
inline Bf16 ToBf16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  return {static_cast<uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16)};
}

// Exact.
inline float FromBf16(Bf16 value) {
  return std::bit_cast<float>(static_cast<uint32_t>(value.bits) << 16);
}

}  // namespace larr::kernels
