// SPDX-License-Identifier: Apache-2.0
#include "tools/report/page.h"

#include <catch2/catch.hpp>

namespace larr::report {
namespace {

TEST_CASE("The page has the report and the script that reads it", "[report]") {
  const std::string page =
      RenderPage(R"({"text": "</script> __SCRIPT__"})", "function pageOf() {}");
  CHECK_THAT(page, Catch::Contains(R"({"text": "<\/script> __SCRIPT__"})") &&
                       Catch::Contains("\nfunction pageOf() {}\n") &&
                       !Catch::Contains("__REPORT__"));
  // Self-contained: no address but that of SVG's names.
  size_t addresses = 0;
  for (size_t at = page.find("://"); at != std::string::npos;
       at = page.find("://", at + 1))
    ++addresses;
  CHECK(addresses == 1);
}

}  // namespace
}  // namespace larr::report
