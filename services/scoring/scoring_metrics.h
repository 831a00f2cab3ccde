// SPDX-License-Identifier: Apache-2.0
//
// The scoring server's metrics.
//
// Threads: safe.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <map>

#include "absl/status/status.h"
#include "larr/scoring/v1/scoring_service.pb.h"
#include "services/scoring/bundle_metrics.h"
#include "services/scoring/request_encoder.h"

namespace larr {

class ScoringMetrics final : public BundleMetrics {
 public:
  // `registry` outlives this.
  explicit ScoringMetrics(prometheus::Registry& registry);

  // A call of Score ended with `code` after `seconds`.
  void CountCall(absl::StatusCode code, double seconds);
  // One of another method.
  void CountCall(const char* method, absl::StatusCode code, double seconds);
  // A request was scored.
  void CountScored(int candidates, const MissingInputs& missing);
  // It had that many distinct POIs, some of which were not ready in memory.
  void CountPois(int pois, int prepared);
  // Adds what was counted of POIs.
  void Describe(scoring::v1::ServingState& state) const;
  // Of the server's own bundle.
  void CountSwitch(const scoring::v1::ServingState& state) override;
  void CountRefusedBundle() override;

 private:
  prometheus::Family<prometheus::Histogram>& calls_;
  // Of Score, by code; every code is there from the start.
  std::map<absl::StatusCode, prometheus::Histogram*> durations_;
  prometheus::Histogram& candidates_;
  prometheus::Family<prometheus::Counter>& missing_entities_;
  prometheus::Family<prometheus::Counter>& missing_texts_;
  prometheus::Family<prometheus::Counter>& missing_context_;
  prometheus::Counter &missing_users_, &missing_pois_;
  prometheus::Family<prometheus::Counter>& pois_;
  prometheus::Counter &ready_pois_, &prepared_pois_;
  prometheus::Family<prometheus::Counter>& switches_;
  prometheus::Counter &switched_, &refused_;
  prometheus::Gauge &switch_time_, &fencing_token_;
  prometheus::Family<prometheus::Gauge>& info_;
  prometheus::Gauge* live_ = nullptr;  // the child of info_ that is 1
};

}  // namespace larr
