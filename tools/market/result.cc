// SPDX-License-Identifier: Apache-2.0
#include "tools/market/result.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "common/base/status_macros.h"
#include "larr/scoring/v1/scoring_service.pb.h"
#include "services/scoring/arm_table.h"
#include "tools/market/bootstrap.h"

namespace larr::market {
namespace {

constexpr int kSalts = 200;
constexpr int kSaltReplicates = 400;

Json Rounded(double value) {
  if (!std::isfinite(value)) return nullptr;
  return std::round(value * 1e6) / 1e6;
}

Json MetricsJson(const std::vector<Estimate>& estimates) {
  Json json = Json::object();
  for (size_t i = 0; i < estimates.size(); ++i) {
    const Metric& metric = Metrics()[i];
    const Estimate& estimate = estimates[i];
    json[std::string(metric.name)] = {
        {"control", Rounded(estimate.control)},
        {"treatment", Rounded(estimate.treatment)},
        {metric.relative ? "lift" : "difference", Rounded(estimate.effect)},
        {"interval", {Rounded(estimate.low), Rounded(estimate.high)}}};
  }
  return json;
}

std::vector<Estimate> CompareArms(const Market& market, const TestSums& sums,
                                  size_t begin, size_t end) {
  const std::vector<Sums> users = sums.OfUsers(begin, end);
  return Compare(Metrics(), InArm(users, sums.arms, kControl),
                 InArm(users, sums.arms, kTreatment), market.options().seed);
}

// The facts of a day, with the sums of its requests.
Json DayJson(const TestResult& test, size_t day) {
  Json json = test.days[day];
  for (const char* arm : {kControl, kTreatment}) {
    const auto users = InArm(test.sums.days[day], test.sums.arms, arm);
    Sums total = {};
    for (const Sums& user : users) AddTo(user, total);
    Json& in_arm = json["arms"][arm];
    in_arm["users"] = users.size();
    for (int m = 0; m < kMeasureCount; ++m) {
      in_arm[std::string(MeasureName(m))] = Rounded(total[m]);
    }
  }
  return json;
}

// The median over days of each quantile.
Json LatencyJson(const TestResult& test) {
  Json json;
  for (const char* arm : {kControl, kTreatment}) {
    for (const char* quantile : {"p50", "p99"}) {
      std::vector<double> values;
      for (const Json& day : test.days) {
        const Json& arms = day["arms"];
        if (!arms.contains(arm) || !arms[arm].contains("latency_ms")) continue;
        values.push_back(arms[arm]["latency_ms"][quantile].get<double>());
      }
      if (values.empty()) continue;
      std::sort(values.begin(), values.end());
      const size_t count = values.size();
      json[arm][quantile] =
          Rounded((values[(count - 1) / 2] + values[count / 2]) / 2);
    }
  }
  return json;
}

Json TestJson(const Market& market, const TestResult& test) {
  Json json;
  json["users"] = {{kControl, std::count(test.sums.arms.begin(),
                                         test.sums.arms.end(), kControl)},
                   {kTreatment, std::count(test.sums.arms.begin(),
                                           test.sums.arms.end(), kTreatment)}};
  json["metrics"] =
      MetricsJson(CompareArms(market, test.sums, 0, test.days.size()));
  json["by_day"] = Json::array();
  json["days"] = Json::array();
  for (size_t day = 0; day < test.days.size(); ++day) {
    json["by_day"].push_back(
        {{"date", test.days[day]["date"]},
         {"metrics",
          MetricsJson(CompareArms(market, test.sums, day, day + 1))}});
    json["days"].push_back(DayJson(test, day));
  }
  json["latency_ms"] = LatencyJson(test);
  return json;
}

// Divides the users of a test whose arms are alike by other salts, as the
// service would, and counts the intervals that exclude zero.
absl::StatusOr<Json> SaltsJson(const Market& market, const TestSums& sums) {
  const std::vector<Sums> users = sums.OfUsers();
  std::vector<int> excluding(Metrics().size());
  for (int i = 0; i < kSalts; ++i) {
    scoring::v1::Arms arms;
    arms.set_salt(fmt::format("{}-{}", TestPlan::Salt(market), i));
    for (const char* name : {kControl, kTreatment}) {
      scoring::v1::Arm& arm = *arms.add_arms();
      arm.set_name(name);
      arm.set_weight(ArmTable::kBuckets / 2);
    }
    LARR_ASSIGN_OR_RETURN(const ArmTable table, ArmTable::Create(arms));
    std::vector<std::string> arm_of;
    for (const city::User& user : market.platform().users) {
      arm_of.push_back(arms.arms(table.ArmOf(user.id, "")).name());
    }
    const auto estimates = Compare(Metrics(), InArm(users, arm_of, kControl),
                                   InArm(users, arm_of, kTreatment),
                                   market.options().seed + i, kSaltReplicates);
    for (size_t m = 0; m < estimates.size(); ++m) {
      excluding[m] += estimates[m].excludes_zero();
    }
  }
  Json json = {{"salts", kSalts}};
  for (size_t m = 0; m < excluding.size(); ++m) {
    json["excluding_zero"][std::string(Metrics()[m].name)] =
        static_cast<double>(excluding[m]) / kSalts;
  }
  return json;
}

// Each arm's users in both tests.
absl::StatusOr<Json> AgainstAa(const Market& market, const TestSums& aa,
                               const TestSums& ab) {
  if (aa.arms != ab.arms) {
    return absl::DataLossError(
        "the two tests had not the same users in the same arms: remove the "
        "market's folder and run it again");
  }
  const size_t days = ab.days.size();
  Json json;
  for (const char* arm : {kControl, kTreatment}) {
    const auto compare = [&](size_t begin, size_t end) {
      return MetricsJson(ComparePaired(
          Metrics(), InArm(aa.OfUsers(begin, end), aa.arms, arm),
          InArm(ab.OfUsers(begin, end), ab.arms, arm), market.options().seed));
    };
    json[arm]["metrics"] = compare(0, days);
    json[arm]["by_day"] = Json::array();
    for (size_t day = 0; day < days; ++day) {
      const Json metrics = compare(day, day + 1);
      json[arm]["by_day"].push_back(
          {{"ctr", metrics["ctr"]},
           {"gmv_per_request", metrics["gmv_per_request"]},
           {"gained", metrics["gained"]}});
    }
  }
  return json;
}

}  // namespace

absl::StatusOr<Json> MakeResult(const Market& market, const TestResult& aa,
                                const TestResult& ab) {
  Json json;
  json["settings"] = market.settings();
  json["aa"] = TestJson(market, aa);
  LARR_ASSIGN_OR_RETURN(json["aa"]["salts"], SaltsJson(market, aa.sums));
  json["ab"] = TestJson(market, ab);
  LARR_ASSIGN_OR_RETURN(json["ab"]["against_aa"],
                        AgainstAa(market, aa.sums, ab.sums));
  return json;
}

}  // namespace larr::market
