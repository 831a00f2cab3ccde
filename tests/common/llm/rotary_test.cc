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

}  // namespace
}  // namespace larr
