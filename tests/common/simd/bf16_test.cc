// SPDX-License-Identifier: Apache-2.0
#include "common/simd/bf16.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <random>

namespace larr::kernels {
namespace {

TEST_CASE("ToBf16 rounds to the nearest, ties to even", "[simd]") {
  CHECK(ToBf16(0.0f).bits == 0x0000);
  CHECK(ToBf16(-0.0f).bits == 0x8000);
  CHECK(ToBf16(1.0f).bits == 0x3F80);
  CHECK(ToBf16(std::bit_cast<float>(0x3F808000u)).bits ==
        0x3F80);  // tie, even below
  CHECK(ToBf16(std::bit_cast<float>(0x3F818000u)).bits ==
        0x3F82);  // tie, even above
  CHECK(ToBf16(std::bit_cast<float>(0x3F808001u)).bits == 0x3F81);
  CHECK(ToBf16(std::bit_cast<float>(0x3F807FFFu)).bits == 0x3F80);
  CHECK(std::isinf(FromBf16(ToBf16(std::numeric_limits<float>::max()))));
}

TEST_CASE("No bf16 is nearer to a random float than the one chosen", "[simd]") {
  std::mt19937 random(7);
  std::uniform_int_distribution<uint32_t> bits(0, 0x7F7EFFFF);
  for (int i = 0; i < 100'000; ++i) {
    const float value = std::bit_cast<float>(bits(random));
    const uint16_t word = ToBf16(value).bits;
    const auto error_of = [&](int other) {
      return std::abs(double{value} - FromBf16({static_cast<uint16_t>(other)}));
    };
    CHECK(error_of(word) <= error_of(word + 1));
    if (word > 0) CHECK(error_of(word) <= error_of(word - 1));
    CHECK(ToBf16(FromBf16({word})).bits == word);
  }
}

}  // namespace
}  // namespace larr::kernels
