// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/arm_metrics.h"

#include <fmt/format.h>

#include <utility>

namespace larr {
namespace {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using scoring::v1::ArmState;
using scoring::v1::ServingState;

}  // namespace

ArmMetrics::ArmMetrics(prometheus::Registry& registry)
    : calls_(BuildCounter()
                 .Name("larr_scoring_arm_calls_total")
                 .Help("Calls that an arm's bundle was picked for.")
                 .Register(registry)),
      changes_(BuildCounter()
                   .Name("larr_scoring_arms_changes_total")
                   .Help("Sets of arms that went live, or were refused.")
                   .Register(registry)),
      changed_(changes_.Add({{"result", "live"}})),
      unchanged_(changes_.Add({{"result", "refused"}})),
      switches_(BuildCounter()
                    .Name("larr_scoring_arm_bundle_switches_total")
                    .Help("Bundles of arms and shadows that went live, or were "
                          "refused.")
                    .Register(registry)),
      switched_(switches_.Add({{"result", "live"}})),
      refused_(switches_.Add({{"result", "refused"}})),
      weights_(BuildGauge()
                   .Name("larr_scoring_arm_weight")
                   .Help("Share of users, of a shadow of requests, in "
                         "ten-thousandths.")
                   .Register(registry)),
      infos_(BuildGauge()
                 .Name("larr_scoring_arm_info")
                 .Help("1 for what an arm or a shadow serves.")
                 .Register(registry)),
      created_(BuildGauge()
                   .Name("larr_scoring_bundle_created_timestamp_seconds")
                   .Help("When the model or the snapshot was made that an arm "
                         "or a shadow serves.")
                   .Register(registry)),
      cache_pois_(BuildGauge()
                      .Name("larr_scoring_poi_cache_pois")
                      .Help("POIs that an arm's bundle has ready in memory.")
                      .Register(registry)),
      cache_bytes_(BuildGauge()
                       .Name("larr_scoring_poi_cache_bytes")
                       .Help("What they take. Arms of one bundle share it.")
                       .Register(registry)),
      cache_budgets_(BuildGauge()
                         .Name("larr_scoring_poi_cache_budget_bytes")
                         .Help("What they may take.")
                         .Register(registry)) {}

prometheus::Counter& ArmMetrics::calls(const std::string& arm) {
  return calls_.Add({{"arm", arm}});
}

void ArmMetrics::CountChange(bool live) {
  (live ? changed_ : unchanged_).Increment();
}

void ArmMetrics::CountSwitch(const ServingState& /*state*/) {
  switched_.Increment();
}

void ArmMetrics::CountRefusedBundle() { refused_.Increment(); }

void ArmMetrics::ShowOne(const char* role, const ArmState& arm) {
  const prometheus::Labels labels = {{"arm", arm.name()}, {"role", role}};
  Shown shown{.weight = &weights_.Add(labels),
              .info = &infos_.Add({{"arm", arm.name()},
                                   {"role", role},
                                   {"model_version", arm.model_version()},
                                   {"snapshot", arm.snapshot()}}),
              .pois = &cache_pois_.Add(labels),
              .bytes = &cache_bytes_.Add(labels),
              .budget = &cache_budgets_.Add(labels),
              .created = {}};
  shown.weight->Set(arm.weight());
  shown.info->Set(1);
  const auto show_time = [&](const char* part,
                             const google::protobuf::Timestamp& time) {
    shown.created.push_back(
        &created_.Add({{"arm", arm.name()}, {"role", role}, {"part", part}}));
    shown.created.back()->Set(static_cast<double>(time.seconds()));
  };
  // Not before there is a bundle: 0 would mean 1970.
  if (arm.has_model_create_time()) show_time("model", arm.model_create_time());
  if (arm.has_snapshot_create_time()) {
    show_time("snapshot", arm.snapshot_create_time());
  }
  shown_arms_.push_back(std::move(shown));
}

void ArmMetrics::ShowCaches(const ServingState& state) {
  size_t i = 0;
  for (const auto* list : {&state.arms(), &state.shadows()}) {
    for (const ArmState& arm : *list) {
      const Shown& shown = shown_arms_[i++];
      shown.pois->Set(static_cast<double>(arm.poi_cache().pois()));
      shown.bytes->Set(static_cast<double>(arm.poi_cache().bytes()));
      shown.budget->Set(static_cast<double>(arm.poi_cache().budget_bytes()));
    }
  }
}

void ArmMetrics::Clear() {
  for (const Shown& shown : shown_arms_) {
    weights_.Remove(shown.weight);
    infos_.Remove(shown.info);
    cache_pois_.Remove(shown.pois);
    cache_bytes_.Remove(shown.bytes);
    cache_budgets_.Remove(shown.budget);
    for (prometheus::Gauge* const gauge : shown.created) created_.Remove(gauge);
  }
  shown_arms_.clear();
}

void ArmMetrics::Show(const ServingState& state) {
  std::string now;
  for (const auto* list : {&state.arms(), &state.shadows()}) {
    for (const ArmState& arm : *list) {
      now += fmt::format("{} {} {} {} {} {}\n", arm.name(), arm.weight(),
                         arm.model_version(), arm.snapshot(),
                         arm.model_create_time().seconds(),
                         arm.snapshot_create_time().seconds());
    }
    now += '\n';
  }
  if (now != shown_) {
    shown_ = now;
    Clear();
    for (const ArmState& arm : state.arms()) ShowOne("arm", arm);
    for (const ArmState& arm : state.shadows()) ShowOne("shadow", arm);
  }
  ShowCaches(state);
}

}  // namespace larr
