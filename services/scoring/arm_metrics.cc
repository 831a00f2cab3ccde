// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/arm_metrics.h"

#include <fmt/format.h>

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
  auto& weight = weights_.Add({{"arm", arm.name()}, {"role", role}});
  weight.Set(arm.weight());
  shown_weights_.push_back(&weight);
  auto& info = infos_.Add({{"arm", arm.name()},
                           {"role", role},
                           {"model_version", arm.model_version()},
                           {"snapshot", arm.snapshot()}});
  info.Set(1);
  shown_infos_.push_back(&info);
}

void ArmMetrics::Show(const ServingState& state) {
  std::string now;
  for (const auto* list : {&state.arms(), &state.shadows()}) {
    for (const ArmState& arm : *list) {
      now += fmt::format("{} {} {} {}\n", arm.name(), arm.weight(),
                         arm.model_version(), arm.snapshot());
    }
    now += '\n';
  }
  if (now == shown_) return;
  shown_ = now;
  for (prometheus::Gauge* gauge : shown_weights_) weights_.Remove(gauge);
  for (prometheus::Gauge* gauge : shown_infos_) infos_.Remove(gauge);
  shown_weights_.clear();
  shown_infos_.clear();
  for (const ArmState& arm : state.arms()) ShowOne("arm", arm);
  for (const ArmState& arm : state.shadows()) ShowOne("shadow", arm);
}

}  // namespace larr
