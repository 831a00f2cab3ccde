// SPDX-License-Identifier: Apache-2.0
#include "common/rpc/resource_requests.h"

#include <catch2/catch.hpp>
#include <string>

namespace larr {
namespace {

TEST_CASE("An id is short and in lower case", "[rpc]") {
  for (const std::string& id : {std::string("a"), std::string("run-1"),
                                std::string("2024"), std::string(63, 'x')}) {
    CHECK(IsValidId(id));
    CHECK(CheckId("run_id", id).ok());
  }
  for (const std::string& id :
       {std::string(), std::string("-a"), std::string("Run"),
        std::string("a/b"), std::string("a.b"), std::string(64, 'x')}) {
    CHECK_FALSE(IsValidId(id));
    CHECK(absl::IsInvalidArgument(CheckId("run_id", id)));
  }
  CHECK_THAT(CheckId("run_id", "Run").ToString(),
             Catch::Contains("`run_id` is `Run`; use lower-case letters"));
}

TEST_CASE("Page sizes have a default and a limit", "[rpc]") {
  CHECK(*PageSize(0) == 50);
  CHECK(*PageSize(7) == 7);
  CHECK(*PageSize(5000) == 1000);
  CHECK(absl::IsInvalidArgument(PageSize(-1).status()));
}

}  // namespace
}  // namespace larr
