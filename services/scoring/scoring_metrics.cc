// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/scoring_metrics.h"

#include <cstdint>

#include "common/telemetry/metrics.h"

namespace larr {
namespace {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;

}  // namespace

ScoringMetrics::ScoringMetrics(prometheus::Registry& registry)
    : calls_(BuildHistogram()
                 .Name("larr_scoring_request_duration_seconds")
                 .Help("From a call's arrival to its answer, by code.")
                 .Register(registry)),
      candidates_(BuildHistogram()
                      .Name("larr_scoring_request_candidates")
                      .Help("Candidates of a scored request.")
                      .Register(registry)
                      .Add({},
                           prometheus::Histogram::BucketBoundaries{
                               1, 10, 50, 100, 200, 500, 1000})),
      missing_entities_(
          BuildCounter()
              .Name("larr_scoring_entity_misses_total")
              .Help("Users and candidates that the snapshot does not know.")
              .Register(registry)),
      missing_texts_(BuildCounter()
                         .Name("larr_scoring_embedding_misses_total")
                         .Help("Texts without a stored vector.")
                         .Register(registry)),
      missing_context_(BuildCounter()
                           .Name("larr_scoring_context_misses_total")
                           .Help("Requests without a value of the context "
                                 "that a feature reads.")
                           .Register(registry)),
      missing_users_(missing_entities_.Add({{"side", "user"}})),
      missing_pois_(missing_entities_.Add({{"side", "poi"}})),
      pois_(BuildCounter()
                .Name("larr_scoring_pois_total")
                .Help("Distinct POIs of requests: ready in memory, or read "
                      "from the snapshot and prepared.")
                .Register(registry)),
      ready_pois_(pois_.Add({{"result", "ready"}})),
      prepared_pois_(pois_.Add({{"result", "prepared"}})),
      switches_(BuildCounter()
                    .Name("larr_scoring_bundle_switches_total")
                    .Help("Bundles that went live, or were refused.")
                    .Register(registry)),
      switched_(switches_.Add({{"result", "live"}})),
      refused_(switches_.Add({{"result", "refused"}})),
      switch_time_(BuildGauge()
                       .Name("larr_scoring_bundle_switch_timestamp_seconds")
                       .Help("When the live bundle was switched to.")
                       .Register(registry)
                       .Add({})),
      fencing_token_(BuildGauge()
                         .Name("larr_scoring_bundle_fencing_token")
                         .Help("Of the live bundle's alias; 0 by hand.")
                         .Register(registry)
                         .Add({})),
      info_(BuildGauge()
                .Name("larr_scoring_bundle_info")
                .Help("1 for the live model version and snapshot.")
                .Register(registry)) {
  for (int code = 0; code <= 16; ++code) {
    const auto status_code = static_cast<absl::StatusCode>(code);
    durations_[status_code] = &calls_.Add(
        {{"method", "Score"}, {"code", absl::StatusCodeToString(status_code)}},
        DurationBuckets());
  }
}

void ScoringMetrics::CountCall(absl::StatusCode code, double seconds) {
  const auto it = durations_.find(code);
  if (it != durations_.end()) it->second->Observe(seconds);
}

void ScoringMetrics::CountCall(const char* method, absl::StatusCode code,
                               double seconds) {
  calls_
      .Add({{"method", method}, {"code", absl::StatusCodeToString(code)}},
           DurationBuckets())
      .Observe(seconds);
}

void ScoringMetrics::CountScored(int candidates, const MissingInputs& missing) {
  candidates_.Observe(candidates);
  missing_users_.Increment(missing.users);
  missing_pois_.Increment(missing.pois);
  for (const auto& [feature, texts] : missing.texts)
    missing_texts_.Add({{"feature", feature}}).Increment(texts);
  for (const std::string& column : missing.context)
    missing_context_.Add({{"column", column}}).Increment();
}

void ScoringMetrics::CountPois(int pois, int prepared) {
  ready_pois_.Increment(pois - prepared);
  prepared_pois_.Increment(prepared);
}

void ScoringMetrics::Describe(scoring::v1::ServingState& state) const {
  state.set_ready_pois(static_cast<int64_t>(ready_pois_.Value()));
  state.set_prepared_pois(static_cast<int64_t>(prepared_pois_.Value()));
}

void ScoringMetrics::CountSwitch(const scoring::v1::ServingState& state) {
  switched_.Increment();
  switch_time_.Set(static_cast<double>(state.switch_time().seconds()));
  fencing_token_.Set(static_cast<double>(state.fencing_token()));
  prometheus::Gauge& live = info_.Add({{"model_version", state.model_version()},
                                       {"snapshot", state.snapshot()}});
  if (live_ != nullptr && live_ != &live) info_.Remove(live_);
  live.Set(1);
  live_ = &live;
}

void ScoringMetrics::CountRefusedBundle() { refused_.Increment(); }

}  // namespace larr
