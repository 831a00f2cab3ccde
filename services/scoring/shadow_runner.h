// SPDX-License-Identifier: Apache-2.0
//
// Scores a sample of the live requests once more, with the bundles of the
// router's shadows, and counts how the scores differ. It takes what time the
// server has left over: one thread of the scheduler's idle class behind a short
// queue. Under load the thread stands still and requests are dropped here
// first; the live ones do not wait for it.
//
// Ownership:  borrows the router.
// Threads:    safe.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "services/scoring/bundle_router.h"
#include "services/scoring/drop_queue.h"
#include "services/scoring/score_observer.h"

namespace larr {

class ShadowRunner final : public ScoreObserver {
 public:
  // `router` and `registry` outlive the runner.
  ShadowRunner(const BundleRouter& router, prometheus::Registry& registry);
  // Drops what waits.
  ~ShadowRunner() override;

  void OnScored(const ScoredCall& call) override;

 private:
  // A request to be scored by one shadow, and what was answered. Bytes and
  // numbers: what the idle thread frees may share the allocator's locks with
  // the thread that scores, so it is little.
  struct Work {
    std::string shadow;
    std::shared_ptr<const Bundle> bundle;
    std::string request;                     // A ScoreRequest.
    std::vector<std::pair<int, float>> ctr;  // By candidate's index.
  };

  void Run();
  absl::Status Compare(const Work& work);

  const BundleRouter& router_;
  prometheus::Family<prometheus::Counter>& calls_;
  prometheus::Family<prometheus::Histogram>& differences_;
  prometheus::Family<prometheus::Gauge>& sums_;
  // Of all shadows: made ahead, since looking a child up takes a lock.
  prometheus::Counter& dropped_;
  DropQueue<std::unique_ptr<Work>> queue_;
  std::thread thread_;  // last: uses the rest
};

}  // namespace larr
