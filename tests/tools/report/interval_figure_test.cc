// SPDX-License-Identifier: Apache-2.0
#include "tools/report/interval_figure.h"

#include <catch2/catch.hpp>
#include <regex>

namespace larr::report {
namespace {

// A number of each mark of one kind.
std::vector<double> Numbers(const std::string& svg,
                            const std::string& pattern) {
  std::vector<double> numbers;
  const std::regex regex(pattern);
  for (std::sregex_iterator it(svg.begin(), svg.end(), regex), end; it != end;
       ++it)
    numbers.push_back(std::stod((*it)[1]));
  return numbers;
}

TEST_CASE("Each row has its place on the axis", "[report]") {
  const std::string svg =
      IntervalFigure("Which & why", "difference",
                     {{"a < b", 0.006, 0.004, 0.009, IntervalRow::Tone::kGood},
                      {"c", -0.002, -0.005, 0.001, IntervalRow::Tone::kNone},
                      {"d", -0.004, -0.006, -0.002, IntervalRow::Tone::kBad}});
  const auto dots = Numbers(svg, "<circle[^>]* cx=\"([0-9.]+)\"");
  REQUIRE(dots.size() == 3);
  CHECK(dots[0] > dots[1]);
  CHECK(dots[1] > dots[2]);
  const auto from = Numbers(svg, "class=\"bar[^>]* x1=\"([0-9.]+)\"");
  const auto to = Numbers(svg, "class=\"bar[^>]* x2=\"([0-9.]+)\"");
  const auto zero = Numbers(svg, "class=\"zero\" x1=\"([0-9.]+)\"");
  REQUIRE(zero.size() == 1);
  CHECK(from[0] > zero[0]);
  CHECK(from[1] < zero[0]);
  CHECK(to[1] > zero[0]);
  CHECK(to[2] < zero[0]);
  for (size_t i = 0; i < 3; ++i) {
    CHECK(from[i] < dots[i]);
    CHECK(dots[i] < to[i]);
  }
  // 0.001 is as long everywhere.
  CHECK((to[0] - from[0]) / 5 == Approx((to[1] - from[1]) / 6).epsilon(0.01));
  CHECK_THAT(svg, Catch::Contains("a &lt; b") &&
                      Catch::Contains("Which &amp; why") &&
                      Catch::Contains(">+0.0060<") &&
                      Catch::Contains("class=\"good\"") &&
                      Catch::Contains("class=\"bad\""));
}

TEST_CASE("All of a picture is inside it", "[report]") {
  for (const double scale : {1e-6, 0.003, 1.0, 700.0}) {
    const std::string svg =
        IntervalFigure("t", "x", {{"a", scale, scale / 2, 3 * scale, {}}});
    for (const double x : Numbers(svg, "x2?=\"([0-9.]+)\"")) {
      CHECK(x >= 0);
      CHECK(x <= 860);
    }
  }
  CHECK_THAT(IntervalFigure("t", "x", {}), Catch::EndsWith("</svg>\n"));
}

}  // namespace
}  // namespace larr::report
