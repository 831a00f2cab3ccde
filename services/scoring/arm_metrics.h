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

  // Weights, versions, ages and caches are those of `state`'s arms and shadows
  // from now on.
  void Show(const scoring::v1::ServingState& state);

 private:
  // One child of each family for an arm, and the gauges of its cache.
  struct Shown {
    prometheus::Gauge *weight, *info, *pois, *bytes, *budget;
    std::vector<prometheus::Gauge*> created;
  };

  void ShowOne(const char* role, const scoring::v1::ArmState& arm);
  void ShowCaches(const scoring::v1::ServingState& state);
  void Clear();

  prometheus::Family<prometheus::Counter>& calls_;
  prometheus::Family<prometheus::Counter>& changes_;
  prometheus::Counter &changed_, &unchanged_;
  prometheus::Family<prometheus::Counter>& switches_;
  prometheus::Counter &switched_, &refused_;
  prometheus::Family<prometheus::Gauge>& weights_;
  prometheus::Family<prometheus::Gauge>& infos_;
  prometheus::Family<prometheus::Gauge>& created_;
  prometheus::Family<prometheus::Gauge>& cache_pois_;
  prometheus::Family<prometheus::Gauge>& cache_bytes_;
  prometheus::Family<prometheus::Gauge>& cache_budgets_;

  std::string shown_;              // what the gauges say
  std::vector<Shown> shown_arms_;  // Arms, then shadows.
};

}  // namespace larr
