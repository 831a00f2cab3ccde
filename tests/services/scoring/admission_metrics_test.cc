// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/admission_metrics.h"

#include <catch2/catch.hpp>

#include "tests/testing/metrics_text.h"

namespace larr {
namespace {

TEST_CASE("The door is counted by reason", "[scoring]") {
  prometheus::Registry registry;
  AdmissionMetrics metrics(registry);
  metrics.CountAdmitted();
  metrics.CountAdmitted();
  metrics.CountRejected(RejectReason::kOverload);
  metrics.CountRejected(RejectReason::kQueueFull);
  metrics.CountRejected(RejectReason::kDeadline);
  metrics.CountRejected(RejectReason::kDeadline);
  metrics.CountDropped(DropReason::kExpired);
  metrics.CountBegun(0.004);
  metrics.SetQueueLength(5);
  metrics.SetLimit(0.25);
  const std::string text = testing::MetricsText(registry);
  for (const char* line :
       {"larr_scoring_admitted_total 2",
        "larr_scoring_rejected_total{reason=\"overload\"} 1",
        "larr_scoring_rejected_total{reason=\"queue_full\"} 1",
        "larr_scoring_rejected_total{reason=\"deadline\"} 2",
        "larr_scoring_dropped_total{reason=\"expired\"} 1",
        "larr_scoring_dropped_total{reason=\"cancelled\"} 0",
        "larr_scoring_queue_delay_seconds_count 1",
        "larr_scoring_queue_limit_seconds 0.25",
        "larr_scoring_queue_length 5"}) {
    CHECK_THAT(text, Catch::Contains(line));
  }
  const scoring::v1::QueueState state = metrics.State();
  CHECK(state.waiting() == 5);
  CHECK(state.limit_ms() == 250);
  CHECK(state.admitted() == 2);
  CHECK(state.rejected() == 4);
}

}  // namespace
}  // namespace larr
