// SPDX-License-Identifier: Apache-2.0
#include "common/base/date.h"

#include <charconv>
#include <chrono>

namespace larr {
namespace {

bool ParseNumber(std::string_view text, int& out) {
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() &&
         text[0] != '-';
}

}  // namespace

bool IsDate(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return false;
  int year = 0;
  int month = 0;
  int day = 0;
  if (!ParseNumber(text.substr(0, 4), year) ||
      !ParseNumber(text.substr(5, 2), month) ||
      !ParseNumber(text.substr(8, 2), day)) {
    return false;
  }
  return std::chrono::year_month_day(std::chrono::year(year),
                                     std::chrono::month(month),
                                     std::chrono::day(day))
      .ok();
}

}  // namespace larr
