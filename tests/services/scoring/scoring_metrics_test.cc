// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/scoring_metrics.h"

#include <catch2/catch.hpp>

#include "tests/testing/metrics_text.h"

namespace larr {
namespace {

TEST_CASE("Calls are counted by code, inputs by side", "[scoring]") {
  prometheus::Registry registry;
  ScoringMetrics metrics(registry);
  metrics.CountCall(absl::StatusCode::kOk, 0.002);
  metrics.CountCall(absl::StatusCode::kInvalidArgument, 0.001);
  metrics.CountCall("SetArms", absl::StatusCode::kOk, 0.001);
  metrics.CountScored(200, {.users = 1,
                            .pois = 2,
                            .texts = {{"weather", 3}, {"menu", 4}},
                            .context = {"hour", "city"}});
  metrics.CountScored(1, {.context = {"hour"}});
  metrics.CountPois(150, 30);
  const std::string text = testing::MetricsText(registry);
  for (const char* line :
       {"larr_scoring_request_duration_seconds_count{code=\"OK\",method="
        "\"Score\"} 1",
        "larr_scoring_request_duration_seconds_count{code=\"INVALID_"
        "ARGUMENT\",method=\"Score\"} 1",
        "larr_scoring_request_duration_seconds_count{code=\"OK\",method="
        "\"SetArms\"} 1",
        "larr_scoring_request_candidates_sum 201",
        "larr_scoring_context_misses_total{column=\"hour\"} 2",
        "larr_scoring_context_misses_total{column=\"city\"} 1",
        "larr_scoring_entity_misses_total{side=\"user\"} 1",
        "larr_scoring_entity_misses_total{side=\"poi\"} 2",
        "larr_scoring_embedding_misses_total{feature=\"weather\"} 3",
        "larr_scoring_embedding_misses_total{feature=\"menu\"} 4",
        "larr_scoring_pois_total{result=\"ready\"} 120",
        "larr_scoring_pois_total{result=\"prepared\"} 30"}) {
    CHECK_THAT(text, Catch::Contains(line));
  }
}

TEST_CASE("One bundle is live at a time", "[scoring]") {
  prometheus::Registry registry;
  ScoringMetrics metrics(registry);
  scoring::v1::ServingState state;
  state.set_model_version("v1");
  state.set_snapshot("s1");
  state.mutable_switch_time()->set_seconds(1000);
  metrics.CountSwitch(state);
  state.set_model_version("v2");
  state.set_fencing_token(9);
  metrics.CountSwitch(state);
  metrics.CountSwitch(state);  // the same again
  metrics.CountRefusedBundle();
  const std::string text = testing::MetricsText(registry);
  CHECK_THAT(text, !Catch::Contains("v1"));
  for (const char* line :
       {"larr_scoring_bundle_info{model_version=\"v2\",snapshot=\"s1\"} 1",
        "larr_scoring_bundle_switch_timestamp_seconds 1000",
        "larr_scoring_bundle_fencing_token 9",
        "larr_scoring_bundle_switches_total{result=\"live\"} 3",
        "larr_scoring_bundle_switches_total{result=\"refused\"} 1"}) {
    CHECK_THAT(text, Catch::Contains(line));
  }
}

}  // namespace
}  // namespace larr
