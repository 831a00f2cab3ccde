// SPDX-License-Identifier: Apache-2.0
//
// How far each arm's scores of the last hour are from those of its model's
// validation rows: PSI (common/ctr/score_distribution.h), of all candidates of
// a request, whatever it asks for. A model without a distribution has none, and
// neither has an arm with fewer than kLeastScores scores in the hour.
//
// A call is counted on the thread that scored it; the lock is held while its
// bins are added to the arm's. An arm's window begins anew with another model.
//
// Threads: safe.
#pragma once

#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>

#include "common/ctr/score_distribution.h"
#include "services/scoring/score_observer.h"

namespace larr {

class ScoreDrift final : public ScoreObserver {
 public:
  static constexpr int64_t kLeastScores = 1000;

  // `registry` outlives this.
  explicit ScoreDrift(prometheus::Registry& registry);

  void OnScored(const ScoredCall& call) override;
  void Describe(scoring::v1::ServingState& state) const override;

 private:
  static constexpr size_t kHeads = 2;    // ctr, ctcvr
  static constexpr int64_t kSlots = 12;  // of a window
  static constexpr std::chrono::minutes kSlotTime{5};

  using Bins = std::array<int64_t, kMostScoreBins>;
  using Counts = std::array<Bins, kHeads>;

  struct Window {
    std::shared_ptr<const ScoreReference> reference;
    std::array<Counts, kSlots> slots{};
    int64_t newest = 0;  // slot, since 1970
    std::chrono::system_clock::time_point next_show;
    std::array<prometheus::Gauge*, kHeads> gauges{};  // null: not shown
  };
  struct Drift {
    double psi = 0;
    int64_t scores = 0;
  };

  static Counts Count(const ScoredCall& call);
  // Of the hour that ends with `slot`. Nothing without a distribution or enough
  // scores.
  static std::optional<Drift> DriftOf(const Window& window, size_t head,
                                      int64_t slot);
  static void MoveTo(Window& window, int64_t slot);
  // REQUIRES: mutex_ is held, as do those below.
  void Show(const std::string& arm, Window& window);
  void Hide(Window& window);
  void ForgetOlderThan(int64_t slot);

  prometheus::Family<prometheus::Gauge>& psi_;
  mutable std::mutex mutex_;                            // guards what follows
  std::map<std::string, Window, std::less<>> windows_;  // by arm
};

}  // namespace larr
