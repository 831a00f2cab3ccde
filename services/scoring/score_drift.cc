// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/score_drift.h"

#include <algorithm>
#include <utility>

namespace larr {
namespace {

using scoring::v1::ArmState;
using scoring::v1::ServingState;

constexpr std::array<const char*, 2> kNames = {"ctr", "ctcvr"};
constexpr std::array<scoring::v1::Output, 2> kOutputs = {scoring::v1::CTR,
                                                         scoring::v1::CTCVR};
constexpr std::chrono::seconds kShowTime(1);  // between updates of the metric

const std::optional<ScoreBins>& BinsOf(const ScoreReference& reference,
                                       size_t head) {
  return head == 0 ? reference.ctr : reference.ctcvr;
}

}  // namespace

ScoreDrift::ScoreDrift(prometheus::Registry& registry)
    : psi_(prometheus::BuildGauge()
               .Name("larr_scoring_score_psi")
               .Help("Population stability index of the last hour's scores "
                     "against the validation rows of the model's training.")
               .Register(registry)) {}

ScoreDrift::Counts ScoreDrift::Count(const ScoredCall& call) {
  Counts counts{};
  for (size_t head = 0; head < kHeads; ++head) {
    const auto& bins = BinsOf(*call.reference, head);
    if (!bins.has_value()) continue;
    for (const float score : head == 0 ? call.ctr : call.ctcvr) {
      ++counts[head][bins->BinOf(score)];
    }
  }
  return counts;
}

void ScoreDrift::MoveTo(Window& window, int64_t slot) {
  // Whole hours without calls leave nothing; a call that came late counts now.
  const int64_t steps = std::min(slot - window.newest, kSlots);
  for (int64_t i = 0; i < steps; ++i) window.slots[(slot - i) % kSlots] = {};
  window.newest = std::max(window.newest, slot);
}

void ScoreDrift::OnScored(const ScoredCall& call) {
  const std::string& arm = call.response.arm();
  if (call.reference == nullptr) {
    const std::lock_guard lock(mutex_);
    if (const auto it = windows_.find(arm); it != windows_.end()) {
      Hide(it->second);
      windows_.erase(it);
    }
    return;
  }
  const Counts counts = Count(call);
  const int64_t slot = call.arrival.time_since_epoch() / kSlotTime;
  const std::lock_guard lock(mutex_);
  Window& window = windows_[arm];
  if (window.reference != call.reference) {
    Hide(window);
    window = {};
    window.reference = call.reference;
  }
  MoveTo(window, slot);
  Counts& sums = window.slots[window.newest % kSlots];
  for (size_t head = 0; head < kHeads; ++head) {
    for (size_t bin = 0; bin < kMostScoreBins; ++bin) {
      sums[head][bin] += counts[head][bin];
    }
  }
  if (call.arrival < window.next_show) return;
  window.next_show = call.arrival + kShowTime;
  Show(arm, window);
  ForgetOlderThan(slot - kSlots);
}

std::optional<ScoreDrift::Drift> ScoreDrift::DriftOf(const Window& window,
                                                     size_t head,
                                                     int64_t slot) {
  const auto& bins = BinsOf(*window.reference, head);
  if (!bins.has_value()) return std::nullopt;
  Bins sums{};
  Drift drift;
  const int64_t first = std::max(slot, window.newest) - kSlots + 1;
  for (int64_t counted = first; counted <= window.newest; ++counted) {
    const Bins& counts = window.slots[counted % kSlots][head];
    for (size_t bin = 0; bin < kMostScoreBins; ++bin) {
      sums[bin] += counts[bin];
      drift.scores += counts[bin];
    }
  }
  if (drift.scores < kLeastScores) return std::nullopt;
  drift.psi = bins->Psi({sums.data(), bins->size()});
  return drift;
}

void ScoreDrift::Show(const std::string& arm, Window& window) {
  for (size_t head = 0; head < kHeads; ++head) {
    const std::optional<Drift> drift = DriftOf(window, head, window.newest);
    prometheus::Gauge*& gauge = window.gauges[head];
    if (!drift.has_value()) {
      if (gauge != nullptr) psi_.Remove(std::exchange(gauge, nullptr));
      continue;
    }
    if (gauge == nullptr) {
      gauge = &psi_.Add({{"arm", arm}, {"output", kNames[head]}});
    }
    gauge->Set(drift->psi);
  }
}

void ScoreDrift::Hide(Window& window) {
  for (prometheus::Gauge*& gauge : window.gauges) {
    if (gauge != nullptr) psi_.Remove(std::exchange(gauge, nullptr));
  }
}

void ScoreDrift::ForgetOlderThan(int64_t slot) {
  for (auto it = windows_.begin(); it != windows_.end();) {
    if (it->second.newest >= slot) {
      ++it;
      continue;
    }
    Hide(it->second);
    it = windows_.erase(it);
  }
}

void ScoreDrift::Describe(ServingState& state) const {
  const int64_t slot =
      std::chrono::system_clock::now().time_since_epoch() / kSlotTime;
  const std::lock_guard lock(mutex_);
  for (ArmState& arm : *state.mutable_arms()) {
    const auto it = windows_.find(arm.name());
    if (it == windows_.end()) continue;
    for (size_t head = 0; head < kHeads; ++head) {
      const std::optional<Drift> drift = DriftOf(it->second, head, slot);
      if (!drift.has_value()) continue;
      scoring::v1::ScoreDrift& shown = *arm.add_drift();
      shown.set_output(kOutputs[head]);
      shown.set_psi(drift->psi);
      shown.set_scores(drift->scores);
    }
  }
}

}  // namespace larr
