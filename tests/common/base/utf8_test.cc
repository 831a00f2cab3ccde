// SPDX-License-Identifier: Apache-2.0
#include "common/base/utf8.h"

#include <catch2/catch.hpp>

namespace larr {
namespace {

TEST_CASE("Texts in UTF-8 are left as they are") {
  for (const std::string text :
       {"", "plain", "eight by and more", "naïve", "宫保鸡丁", "🍜 and \u200b",
        "\uD7FF\uE000", "\U0010FFFF"}) {
    INFO(text);
    CHECK(FindMalformedUtf8(text) == std::string_view::npos);
    CHECK(ReplaceMalformedUtf8(text) == text);
  }
}

TEST_CASE("What is not UTF-8 is found and replaced") {
  const auto check = [](std::string_view text, size_t at,
                        std::string_view replaced) {
    INFO(text);
    CHECK(FindMalformedUtf8(text) == at);
    CHECK(ReplaceMalformedUtf8(text) == replaced);
  };
  check("\xff", 0, "\uFFFD");
  check("caf\xe9 latin", 3, "caf\uFFFD latin");
  check("cut \xe5\xae", 4, "cut \uFFFD\uFFFD");
  check("overlong \xc0\xaf", 9, "overlong \uFFFD\uFFFD");
  check("overlong \xe0\x80\xaf", 9, "overlong \uFFFD\uFFFD\uFFFD");
  check("surrogate \xed\xa0\x80!", 10, "surrogate \uFFFD\uFFFD\uFFFD!");
  check("too high \xf4\x90\x80\x80", 9, "too high \uFFFD\uFFFD\uFFFD\uFFFD");
  check("\x80 at both ends \xf5", 0, "\uFFFD at both ends \uFFFD");
  check("宫\xff鸡", 3, "宫\uFFFD鸡");
}

TEST_CASE("A text is cut between characters") {
  CHECK(CutUtf8("宫保鸡丁", 12) == "宫保鸡丁");
  CHECK(CutUtf8("宫保鸡丁!", 12) == "宫保鸡...");
  CHECK(CutUtf8("宫保鸡丁!", 11) == "宫保...");
  CHECK(CutUtf8("宫保鸡丁", 3) == "...");
}

}  // namespace
}  // namespace larr
