// SPDX-License-Identifier: Apache-2.0
#include "tools/demo/replay.h"

#include <array>
#include <catch2/catch.hpp>
#include <cmath>

namespace larr::demo {
namespace {

TEST_CASE("Auc counts ordered pairs, ties half", "[demo]") {
  const std::array<double, 5> scores = {0.3, 0.3, 0.1, 0.9, 0.05};
  CHECK(Auc(scores, {true, false, false, true, true}) == Approx(3.5 / 6));
  CHECK(Auc(scores, {true, false, false, true, false}) == Approx(5.5 / 6));
  CHECK(std::isnan(Auc(scores, {true, true, true, true, true})));
}

}  // namespace
}  // namespace larr::demo
