// SPDX-License-Identifier: Apache-2.0
#include "common/llm/rotary.h"

#include <catch2/catch.hpp>
#include <cmath>

namespace larr {
namespace {

TEST_CASE("Angles are position * theta^(-2i / D)") {
  const auto table = MakeRotaryTable(40, 8, 10000);
  REQUIRE(table.cosine.sizes() == torch::IntArrayRef({40, 4}));
  for (const int64_t position : {0, 1, 39}) {
    for (int64_t i = 0; i < 4; ++i) {
      const double angle =
          static_cast<double>(position) * std::pow(10000.0, -2.0 * i / 8);
      CHECK(table.cosine[position][i].item<float>() ==
            Approx(std::cos(angle)).margin(1e-5));
      CHECK(table.sine[position][i].item<float>() ==
            Approx(std::sin(angle)).margin(1e-5));
    }
  }
}

TEST_CASE("Scaling slows frequencies: all, or those of long waves") {
  const auto angles = [](const RopeScaling& scaling) {
    const auto table = MakeRotaryTable(2, 8, 100, scaling);
    return torch::atan2(table.sine[1], table.cosine[1]);
  };
  const auto plain = angles({});
  CHECK(torch::allclose(angles({RopeScaling::Kind::kLinear, 4}), plain / 4));
  // Waves of 6.3, 20, 63 and 199 positions.
  const auto scaled =
      angles({RopeScaling::Kind::kLlama3, 8, /*low=*/1, /*high=*/4, 48});
  CHECK(scaled[0].item<float>() == Approx(plain[0].item<float>()));
  CHECK(scaled[2].item<float>() == Approx(plain[2].item<float>() / 8));
  CHECK(scaled[3].item<float>() == Approx(plain[3].item<float>() / 8));
  const double wave = 2 * M_PI / plain[1].item<float>();
  const double share = (48 / wave - 1) / 3;
  CHECK(share > 0.1);
  CHECK(share < 0.9);
  CHECK(scaled[1].item<float>() ==
        Approx(plain[1].item<float>() * (share + (1 - share) / 8)));
}

}  // namespace
}  // namespace larr
