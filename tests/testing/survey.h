// SPDX-License-Identifier: Apache-2.0
//
// A small table of the coupon survey's shape, and its import as a dataset.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <random>
#include <string>
#include <utility>

#include "tests/testing/shell.h"

namespace larr::testing {

inline std::string Env(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

// Runs the import script; returns its exit code and what it printed.
inline std::pair<int, std::string> ImportSurvey(
    const std::filesystem::path& csv, const std::filesystem::path& out,
    const std::string& splits = "") {
  const std::string command = "PYTHONPATH=" + Env("LARR_DEPS") +
                              "/arrow python3 " + Env("LARR_SOURCE_DIR") +
                              "/examples/coupon/import.py '" + csv.string() +
                              "' '" + out.string() + "' " + splits;
  const Outcome outcome = Shell(command);
  return {outcome.code, outcome.out};
}

// Where the real survey may be; it need not be there.
inline std::filesystem::path RealSurvey() {
  const std::string named = Env("LARR_COUPON_CSV");
  if (!named.empty()) return named;
  return std::filesystem::path(Env("LARR_SOURCE_DIR")) / ".." / "shared" /
         "data" / "coupon" / "in-vehicle-coupon-recommendation.csv";
}

inline constexpr char kSurveyHeader[] =
    "destination,passanger,weather,temperature,time,coupon,expiration,gender,"
    "age,maritalStatus,has_children,education,occupation,income,Bar,"
    "CoffeeHouse,CarryAway,RestaurantLessThan20,Restaurant20To50,"
    "toCoupon_GEQ5min,toCoupon_GEQ15min,toCoupon_GEQ25min,direction_same,"
    "direction_opp,Y\n";

// Forty people, twelve situations each. People take coupons for what they do.
inline void WriteSurvey(const std::filesystem::path& path) {
  std::mt19937_64 random(4);
  const auto one_of = [&](std::initializer_list<const char*> values) {
    return std::string(values.begin()[random() % values.size()]);
  };
  std::ofstream out(path);
  out << kSurveyHeader;
  for (int person = 0; person < 40; ++person) {
    const std::string bar = one_of({"never", "less1", "1~3", "gt8", ""});
    const std::string about =
        one_of({"Female", "Male"}) + "," + one_of({"below21", "26", "50plus"}) +
        ",Single," + one_of({"0", "1"}) + ",Degree,Job " +
        std::to_string(person) + "," + "$25000 - $37499," + bar + ",1~3," +
        one_of({"gt8", "1~3", ""}) + ",4~8,never,";
    for (int i = 0; i < 12; ++i) {
      const std::string coupon =
          one_of({"Bar", "Coffee House", "Restaurant(<20)"});
      const bool wanted = coupon != "Bar" || bar == "gt8" || bar == "1~3";
      out << one_of({"Home", "Work", "No Urgent Place"}) << ","
          << one_of({"Alone", "Friend(s)"}) << "," << one_of({"Sunny", "Rainy"})
          << "," << one_of({"30", "55", "80"}) << "," << one_of({"7AM", "6PM"})
          << "," << coupon << "," << one_of({"1d", "2h"}) << "," << about
          << "1," << one_of({"0", "1"}) << ",0," << one_of({"0", "1"}) << ",1,"
          << ((random() % 10 < (wanted ? 8u : 2u)) ? 1 : 0) << "\n";
    }
  }
}

}  // namespace larr::testing
