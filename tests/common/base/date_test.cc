// SPDX-License-Identifier: Apache-2.0
#include "common/base/date.h"

#include <catch2/catch.hpp>

namespace larr {
namespace {

TEST_CASE("Dates are days of the calendar", "[base]") {
  CHECK(IsDate("2024-02-29"));
  for (const char* wrong : {"2023-02-29", "2024-13-01", "2024-1-01", "x",
                            "2024-01-1x", "-024-01-01", "20240101"}) {
    CHECK_FALSE(IsDate(wrong));
  }
}

}  // namespace
}  // namespace larr
