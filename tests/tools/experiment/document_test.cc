// SPDX-License-Identifier: Apache-2.0
#include "tools/experiment/document.h"

#include <catch2/catch.hpp>
#include <cmath>

namespace larr::experiment {
namespace {

Document Sample() {
  Document document{"A title", {"A lead."}, {}};
  document.sections.push_back(
      {"Part",
       {"Some words."},
       {{"", {"arm", "what", "n"}, {{"a|b", "x", "1"}}, {1}}},
       {{"curve", "step", {{"a", {{1, 2}}}}}},
       {{"spec", "</script>"}}});
  document.sections.push_back(
      {"Plots alone", {"Words of plots."}, {}, {{"c", "x", {}}}});
  return document;
}

TEST_CASE("A document is Markdown with every table", "[experiment]") {
  CHECK(ToMarkdown(Sample(), 2) ==
        "## A title\n\nA lead.\n\n### Part\n\nSome words.\n\n"
        "| arm | what | n |\n| --- | --- | ---: |\n| a\\|b | x | 1 |\n\n");
}

TEST_CASE("The page carries its numbers, and nothing ends its script",
          "[experiment]") {
  const std::string page = ToHtml(Sample());
  CHECK_THAT(page, Catch::Contains("\"title\":\"A title\"") &&
                       Catch::Contains("<\\/script>") &&
                       !Catch::Contains("__REPORT__"));
  const auto json = ToJson(Sample());
  const auto& point = json["sections"][0]["plots"][0]["series"][0]["points"][0];
  CHECK(point[1] == 2);
  CHECK(point[2].is_null());  // no interval
  // Self-contained: no address but that of SVG's names.
  size_t addresses = 0;
  for (size_t at = page.find("://"); at != std::string::npos;
       at = page.find("://", at + 1))
    ++addresses;
  CHECK(addresses == 1);
}

TEST_CASE("Tables stand in columns on a terminal", "[experiment]") {
  const Document document{
      "Title",
      {},
      {{"Part", {}, {{"", {"", "a±b", "word"}, {{"row", "1", "x"}}, {2}}}}}};
  CHECK(ToText(document) ==
        "# Title\n\n## Part\n\n"
        "     a±b  word\n"
        "row    1  x\n\n");
}

}  // namespace
}  // namespace larr::experiment
