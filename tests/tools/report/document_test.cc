// SPDX-License-Identifier: Apache-2.0
#include "tools/report/document.h"

#include <catch2/catch.hpp>

namespace larr::report {
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

TEST_CASE("A document is Markdown with every table", "[report]") {
  CHECK(ToMarkdown(Sample(), 2) ==
        "## A title\n\nA lead.\n\n### Part\n\nSome words.\n\n"
        "| arm | what | n |\n| --- | --- | ---: |\n| a\\|b | x | 1 |\n\n");
}

TEST_CASE("The page carries its numbers", "[report]") {
  const std::string page = ToHtml(Sample());
  CHECK_THAT(page, Catch::Contains("\"title\":\"A title\"") &&
                       Catch::Contains("<\\/script>") &&
                       !Catch::Contains("__REPORT__"));
  // A point without an interval.
  CHECK_THAT(page, Catch::Contains("\"points\":[[1.0,2.0,null,null]]"));
}

TEST_CASE("Tables stand in columns on a terminal", "[report]") {
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
}  // namespace larr::report
