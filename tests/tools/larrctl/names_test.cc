// SPDX-License-Identifier: Apache-2.0
#include "tools/larrctl/names.h"

#include <catch2/catch.hpp>

namespace larr::ctl {
namespace {

TEST_CASE("Short names and full names mean the same", "[larrctl]") {
  CHECK(FullName("trainingRuns", "demo") == "trainingRuns/demo");
  CHECK(FullName("trainingRuns", "trainingRuns/demo") == "trainingRuns/demo");
  CHECK(FullName("models", "-") == "models/-");
  CHECK(*FullVersionName("city/3") == "models/city/versions/3");
  CHECK(*FullVersionName("models/city/versions/3") == "models/city/versions/3");
}

TEST_CASE("What names no version is refused with an example", "[larrctl]") {
  for (const char* name : {"", "city", "models/city", "/3", "city/", "a/b/c"}) {
    CAPTURE(name);
    const auto version = FullVersionName(name);
    CHECK(absl::IsInvalidArgument(version.status()));
    CHECK_THAT(std::string(version.status().message()),
               Catch::Contains("city/3"));
  }
}

}  // namespace
}  // namespace larr::ctl
