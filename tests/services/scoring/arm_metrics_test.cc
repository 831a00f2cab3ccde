// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/arm_metrics.h"

#include <catch2/catch.hpp>

#include "tests/testing/metrics_text.h"

namespace larr {
namespace {

using Catch::Contains;
using scoring::v1::ArmState;
using scoring::v1::ServingState;

TEST_CASE("What arms serve is shown until it changes", "[scoring]") {
  prometheus::Registry registry;
  ArmMetrics metrics(registry);
  ServingState state;
  for (const char* name : {"control", "new"}) {
    ArmState& arm = *state.add_arms();
    arm.set_name(name);
    arm.set_weight(5000);
    arm.set_model_version(std::string("of-") + name);
    arm.mutable_model_create_time()->set_seconds(1000);
    arm.mutable_snapshot_create_time()->set_seconds(2000);
    arm.mutable_poi_cache()->set_pois(5);
  }
  *state.add_shadows() = state.arms(1);
  state.mutable_shadows(0)->set_name("next");
  metrics.Show(state);
  state.mutable_arms(0)->mutable_poi_cache()->set_pois(7);
  state.mutable_arms(0)->mutable_poi_cache()->set_bytes(70);
  state.mutable_arms(0)->mutable_poi_cache()->set_budget_bytes(700);
  metrics.Show(state);
  CHECK_THAT(
      testing::MetricsText(registry),
      Contains("cache_pois{arm=\"control\",role=\"arm\"} 7") &&
          Contains("cache_pois{arm=\"new\",role=\"arm\"} 5") &&
          Contains("cache_bytes{arm=\"control\",role=\"arm\"} 70") &&
          Contains("cache_budget_bytes{arm=\"control\",role=\"arm\"} 700") &&
          Contains("created_timestamp_seconds{arm=\"new\",part=\"model\",role="
                   "\"arm\"} 1000") &&
          Contains("created_timestamp_seconds{arm=\"next\",part=\"snapshot\","
                   "role=\"shadow\"} 2000"));
  CHECK_THAT(testing::MetricsText(registry),
             Contains("arm_weight{arm=\"new\",role=\"arm\"} 5000") &&
                 Contains("arm=\"next\",model_version=\"of-new\",role="
                          "\"shadow\",snapshot=\"\"} 1"));

  state.mutable_arms()->RemoveLast();
  state.clear_shadows();
  state.mutable_arms(0)->set_model_version("later");
  metrics.Show(state);
  const std::string text = testing::MetricsText(registry);
  CHECK_THAT(text, Contains("model_version=\"later\"") && !Contains("of-new") &&
                       !Contains("of-control") && !Contains("next"));
}

TEST_CASE("Changes and calls of arms are counted", "[scoring]") {
  prometheus::Registry registry;
  ArmMetrics metrics(registry);
  metrics.calls("new").Increment();
  metrics.CountChange(true);
  metrics.CountChange(false);
  metrics.CountChange(false);
  metrics.CountSwitch({});
  metrics.CountRefusedBundle();
  CHECK_THAT(testing::MetricsText(registry),
             Contains("larr_scoring_arm_calls_total{arm=\"new\"} 1") &&
                 Contains("arms_changes_total{result=\"live\"} 1") &&
                 Contains("arms_changes_total{result=\"refused\"} 2") &&
                 Contains("arm_bundle_switches_total{result=\"live\"} 1") &&
                 Contains("arm_bundle_switches_total{result=\"refused\"} 1"));
}

}  // namespace
}  // namespace larr
