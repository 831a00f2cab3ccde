// SPDX-License-Identifier: Apache-2.0
#include "common/store/bf16.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <random>

namespace larr {
namespace {

TEST_CASE("ToBf16 rounds to the nearest, ties to even", "[store]") {
  CHECK(ToBf16(0.0f) == 0x0000);
  CHECK(ToBf16(-0.0f) == 0x8000);
  CHECK(ToBf16(1.0f) == 0x3F80);
  CHECK(ToBf16(std::bit_cast<float>(0x3F808000u)) ==
        0x3F80);  // tie, even below
  CHECK(ToBf16(std::bit_cast<float>(0x3F818000u)) ==
        0x3F82);  // tie, even above
  CHECK(ToBf16(std::bit_cast<float>(0x3F808001u)) == 0x3F81);
  CHECK(ToBf16(std::bit_cast<float>(0x3F807FFFu)) == 0x3F80);
  CHECK(std::isinf(FromBf16(ToBf16(std::numeric_limits<float>::max()))));
}

TEST_CASE("No bf16 is nearer to a random float than the one chosen",
          "[store]") {
  std::mt19937 random(7);
  std::uniform_int_distribution<uint32_t> bits(0, 0x7F7EFFFF);
  for (int i = 0; i < 100'000; ++i) {
    const float value = std::bit_cast<float>(bits(random));
    const uint16_t word = ToBf16(value);
    const double error = std::abs(double{value} - FromBf16(word));
    CHECK(error <= std::abs(double{value} - FromBf16(word + 1)));
    if (word > 0) CHECK(error <= std::abs(double{value} - FromBf16(word - 1)));
    CHECK(ToBf16(FromBf16(word)) == word);
  }
}

}  // namespace
}  // namespace larr
