// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/priority.h"

#include <catch2/catch.hpp>
#include <string>

namespace larr {
namespace {

TEST_CASE("Three priorities have names, others are refused", "[scoring]") {
  CHECK(ParsePriority("low").value() == Priority::kLow);
  CHECK(ParsePriority("normal").value() == Priority::kNormal);
  CHECK(ParsePriority("high").value() == Priority::kHigh);
  for (const char* name : {"", "High", "urgent", "low "}) {
    CAPTURE(name);
    const absl::Status status = ParsePriority(name).status();
    CHECK(absl::IsInvalidArgument(status));
    CHECK_THAT(std::string(status.message()), Catch::Contains("larr-priority"));
  }
}

}  // namespace
}  // namespace larr
