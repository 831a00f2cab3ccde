// SPDX-License-Identifier: Apache-2.0
//
// The metrics of arms and shadows.
//
// Threads: safe, but for Show, which is called by one at a time.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <string>
#include <vector>

#include "larr/scoring/v1/scoring_service.pb.h"
#include "services/scoring/bundle_metrics.h"

namespace larr {

class ArmMetrics final : public BundleMetrics {
 public:
  // `registry` outlives this.
  explicit ArmMetrics(prometheus::Registry& registry);

  // Calls that an arm answers. Valid as long as this is.
  prometheus::Counter& calls(const std::string& arm);

  // Other arms went live, or were refused.
  void CountChange(bool live);

  // Of the bundles that arms and shadows have of their own.
  void CountSwitch(const scoring::v1::ServingState& state) override;
  void CountRefusedBundle() override;

  // Weights and versions are those of `state`'s arms and shadows from now on.
  void Show(const scoring::v1::ServingState& state);

 private:
  void ShowOne(const char* role, const scoring::v1::ArmState& arm);

  prometheus::Family<prometheus::Counter>& calls_;
  prometheus::Family<prometheus::Counter>& changes_;
  prometheus::Counter &changed_, &unchanged_;
  prometheus::Family<prometheus::Counter>& switches_;
  prometheus::Counter &switched_, &refused_;
  prometheus::Family<prometheus::Gauge>& weights_;
  prometheus::Family<prometheus::Gauge>& infos_;

  std::string shown_;  // what the gauges say
  std::vector<prometheus::Gauge*> shown_weights_, shown_infos_;
};

}  // namespace larr
