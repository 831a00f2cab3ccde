// SPDX-License-Identifier: Apache-2.0
//
// What the door of the scoring server did: taken, refused, dropped, and how
// long requests waited.
//
// Threads: safe.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <cstddef>

#include "larr/scoring/v1/scoring_service.pb.h"
#include "services/scoring/admission.h"

namespace larr {

// Why what was taken was not begun.
enum class DropReason { kExpired, kCancelled };

class AdmissionMetrics {
 public:
  // `registry` outlives this.
  explicit AdmissionMetrics(prometheus::Registry& registry);

  void CountAdmitted() { admitted_.Increment(); }
  void CountRejected(RejectReason reason);
  void CountDropped(DropReason reason);
  // What was taken is begun after so many seconds.
  void CountBegun(double waited) { delay_.Observe(waited); }
  void SetQueueLength(size_t length) {
    length_.Set(static_cast<double>(length));
  }
  // Requests that would wait longer are refused.
  void SetLimit(double seconds) { limit_.Set(seconds); }

  // What was counted and set, as of now.
  scoring::v1::QueueState State() const;

 private:
  prometheus::Counter& admitted_;
  prometheus::Family<prometheus::Counter>& rejected_;
  prometheus::Counter &full_, &overload_, &deadline_;
  prometheus::Family<prometheus::Counter>& dropped_;
  prometheus::Counter &expired_, &cancelled_;
  prometheus::Gauge &length_, &limit_;
  prometheus::Histogram& delay_;
};

}  // namespace larr
