// SPDX-License-Identifier: Apache-2.0
#include "services/embedding/random_encoder.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

namespace larr {
namespace {

TEST_CASE("Random vectors know whether texts are equal, and nothing else",
          "[embedding]") {
  const auto encoder = MakeRandomEncoder();
  REQUIRE(encoder->dim() == 128);
  std::vector<std::string> texts = {"<tags>tea 0</tags>"};
  for (int i = 0; i < 500; ++i)
    texts.push_back("<menu>tea " + std::to_string(i) + "</menu>");
  const auto encoded = encoder->Encode(texts);
  REQUIRE(encoded.ok());
  const auto dot = [&](size_t a, size_t b) {
    const float* first = encoded->vectors.data();
    return std::inner_product(first + 128 * a, first + 128 * (a + 1),
                              first + 128 * b, 0.0);
  };
  double sum = 0, square = 0;
  for (size_t i = 0; i < 500; ++i) {
    CHECK(dot(i, i) == Approx(1).epsilon(1e-5));
    const double cosine = dot(i, i + 1);
    sum += cosine;
    square += cosine * cosine;
  }
  // Cosines of directions at random: mean 0, variance 1/128.
  CHECK(std::abs(sum / 500) < 0.02);
  CHECK(square / 500 == Approx(1.0 / 128).epsilon(0.25));

  const auto again = MakeRandomEncoder()->Encode({&texts[7], 1});
  CHECK(again->vectors ==
        std::vector<float>(encoded->vectors.begin() + 7 * 128,
                           encoded->vectors.begin() + 8 * 128));
}

}  // namespace
}  // namespace larr
