// SPDX-License-Identifier: Apache-2.0
#include "tools/market/result.h"

#include "tests/tools/market/small_market.h"
#include "tools/experiment/online_test_report.h"

namespace larr::market {
namespace {

TestResult SomeTest(const Market& market, const std::filesystem::path& folder) {
  TestResult test{.sums = TestSums(market.platform().users.size())};
  for (int i = 0; i < 2; ++i) {
    const int day = market.first_day() + i;
    REQUIRE(test.sums.AddDay(market, WriteSomeDay(market, folder, day)).ok());
    const Json arm = {{"missing", {{"users", 0}, {"pois", 0}, {"texts", 1}}},
                      {"latency_ms", {{"p50", 1.0 + i}, {"p99", 2.0}}}};
    test.days.push_back({{"date", market.Date(day)},
                         {"texts_total", 10},
                         {"texts_encoded", 1},
                         {"arms", {{kControl, arm}, {kTreatment, arm}}}});
  }
  return test;
}

TEST_CASE("The result says what happened, small enough to be kept",
          "[market]") {
  const SmallMarket small;
  const auto market = small.Open();
  const TestResult test = SomeTest(*market, small.path("out") / "aa");
  const auto result = MakeResult(*market, test, test);
  INFO(result.status().ToString());
  REQUIRE(result.ok());
  const Json& day = (*result)["aa"]["days"][1];
  CHECK(day["date"] == "2025-04-12");
  CHECK(day["arms"][kControl]["requests"].get<double>() +
            day["arms"][kTreatment]["requests"].get<double>() ==
        30);
  CHECK(day["arms"][kControl]["missing"]["texts"] == 1);
  CHECK((*result)["aa"]["latency_ms"][kControl]["p50"] == 1.5);
  const Json& ctr = (*result)["ab"]["metrics"]["ctr"];
  CHECK(
      ctr["lift"].get<double>() ==
      Approx(ctr["treatment"].get<double>() / ctr["control"].get<double>() - 1)
          .margin(1e-4));
  CHECK(ctr["interval"][0] <= ctr["lift"]);
  CHECK(ctr["lift"] <= ctr["interval"][1]);
  // The tests were one and the same.
  const Json& paired =
      (*result)["ab"]["against_aa"][kTreatment]["metrics"]["ctr"];
  CHECK(paired["lift"] == 0);
  CHECK(paired["interval"] == Json::parse("[0, 0]"));
  const double excluding =
      (*result)["aa"]["salts"]["excluding_zero"]["ctr"].get<double>();
  CHECK(excluding < 0.25);  // A few dozen users; the docs speak of 5 %.
  CHECK(result->dump(1).size() < 40'000);

  const auto report = experiment::MakeOnlineTestReport(*result);
  INFO(report.status().ToString());
  REQUIRE(report.ok());
  CHECK_THAT(report::ToText(*report),
             Catch::Contains("A/A") && Catch::Contains("2025-04-12") &&
                 Catch::Contains("GMV per request") &&
                 Catch::Contains("treatment p50 1.50 ms"));

  SECTION("a market with nightly training says what its gates decided") {
    Json retrained = *result;
    retrained["settings"]["retrain"] = true;
    for (const char* name : {"aa", "ab"})
      for (Json& facts : retrained[name]["days"])
        for (const char* arm : {kControl, kTreatment})
          facts["arms"][arm]["trained"] = nullptr;
    retrained["ab"]["days"][1]["arms"][kTreatment]["trained"] = "2025-04-12";
    const auto nightly = experiment::MakeOnlineTestReport(retrained);
    INFO(nightly.status().ToString());
    REQUIRE(nightly.ok());
    CHECK_THAT(report::ToText(*nightly),
               Catch::Contains("with nightly training") &&
                   Catch::Contains("Of 4 mornings of an arm (in A/A both have "
                                   "one model) 1 began with"));
  }

  SECTION("tests of other users are not compared") {
    TestResult other = test;
    for (std::string& arm : other.sums.arms) {
      if (!arm.empty()) arm = kControl;
    }
    CHECK(absl::IsDataLoss(MakeResult(*market, test, other).status()));
  }
}

}  // namespace
}  // namespace larr::market
