// SPDX-License-Identifier: Apache-2.0
#include "examples/city/calendar.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>

#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"

namespace larr::city {
namespace {

using std::chrono::sys_days;

constexpr int kHistoryDays = 6;
constexpr int kHistoryTextDays = 3;  // A history text lasts this long.
constexpr std::array<std::string_view, 7> kWeekdays = {
    "Sunday",   "Monday", "Tuesday", "Wednesday",
    "Thursday", "Friday", "Saturday"};

absl::StatusOr<sys_days> ParseDate(const std::string& text) {
  int year = 0, month = 0, day = 0;
  const auto number = [&](size_t at, size_t n, int& out) {
    const char* begin = text.data() + at;
    return std::from_chars(begin, begin + n, out).ptr == begin + n;
  };
  if (text.size() == 10 && number(0, 4, year) && number(5, 2, month) &&
      number(8, 2, day)) {
    const std::chrono::year_month_day date{
        std::chrono::year(year),
        std::chrono::month(static_cast<unsigned>(month)),
        std::chrono::day(static_cast<unsigned>(day))};
    if (date.ok()) return sys_days(date);
  }
  return Invalid("split.dates: '{}' is not a date of the form YYYY-MM-DD",
                 text);
}

std::string FormatDate(sys_days day) {
  const std::chrono::year_month_day date(day);
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()),
                     static_cast<unsigned>(date.day()));
}

}  // namespace

std::string_view PartName(Part part) {
  constexpr std::array<std::string_view, kPartCount> kNames = {
      "history", "pairs", "train", "validation", "test"};
  return kNames[part];
}

absl::StatusOr<Calendar> MakeCalendar(const config::v1::DateSplit& split,
                                      int more_test_days) {
  const std::array<std::string, kPartCount> begins = {
      split.pairs_begin(), split.train_begin(), split.validation_begin(),
      split.test_begin(), split.end()};
  std::array<sys_days, kPartCount + 1> limits;
  for (int i = 0; i < kPartCount; ++i) {
    LARR_ASSIGN_OR_RETURN(limits[i + 1], ParseDate(begins[i]));
  }
  limits[0] = limits[1] - std::chrono::days(kHistoryDays);
  limits[kPartCount] += std::chrono::days(more_test_days);
  Calendar calendar;
  for (int part = 0; part < kPartCount; ++part) {
    if (limits[part] >= limits[part + 1]) {
      return Invalid("split.dates: '{}' does not come after the part before it",
                     begins[part]);
    }
    calendar.first[part] = static_cast<int>(calendar.days.size());
    calendar.length[part] =
        static_cast<int>((limits[part + 1] - limits[part]).count());
    for (sys_days day = limits[part]; day < limits[part + 1];
         day += std::chrono::days(1)) {
      const unsigned weekday = std::chrono::weekday(day).c_encoding();
      const auto since_pairs = (day - limits[1]).count();
      calendar.days.push_back(
          {.date = FormatDate(day),
           .part = static_cast<Part>(part),
           .weekday = std::string(kWeekdays[weekday]),
           .weekend = weekday == 0 || weekday == 6,
           .refreshes_history =
               since_pairs >= 0 && since_pairs % kHistoryTextDays == 0});
    }
  }
  return calendar;
}

}  // namespace larr::city
