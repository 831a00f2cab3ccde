// SPDX-License-Identifier: Apache-2.0
#include "tools/report/numbers.h"

#include <catch2/catch.hpp>
#include <cmath>

namespace larr::report {
namespace {

TEST_CASE("Numbers are rounded in one way", "[report]") {
  const double none = std::nan("");
  CHECK(AucText(0.71678) == "0.7168");
  CHECK(AucText(none) == "-");
  CHECK(AucText(0.71678, 0.00104) == "0.7168 ± 0.0010");
  CHECK(AucText(0.71678, none) == "0.7168");
  CHECK(DifferenceText(0.01125) == "+0.0112");
  CHECK(DifferenceText(-0.01) == "-0.0100");
  CHECK(IntervalText(-0.001, 0.002) == "[-0.0010, +0.0020]");
  CHECK(IntervalText(none, 1) == "-");
  CHECK(NumberText(12.3456) == "12.3");
  CHECK(NumberText(12345.6) == "12,346");
  CHECK(NumberText(999.4) == "999");
  CHECK(NumberText(999.7) == "1,000");
  CHECK(PercentText(0.1234) == "12.3 %");
  CHECK(CountText(1200000) == "1,200,000");
  CHECK(CountText(999) == "999");
  CHECK(CountText(-1000) == "-1,000");
  CHECK(TimeText(12.4) == "12 s");
  CHECK(TimeText(83) == "1 min 23 s");
  CHECK(TimeText(4800) == "1 h 20 min");
  CHECK(TimeText(-1) == "-");
}

}  // namespace
}  // namespace larr::report
