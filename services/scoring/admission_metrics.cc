// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/admission_metrics.h"

#include <cstdint>

#include "common/telemetry/metrics.h"

namespace larr {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;

AdmissionMetrics::AdmissionMetrics(prometheus::Registry& registry)
    : admitted_(BuildCounter()
                    .Name("larr_scoring_admitted_total")
                    .Help("Requests that were taken.")
                    .Register(registry)
                    .Add({})),
      rejected_(BuildCounter()
                    .Name("larr_scoring_rejected_total")
                    .Help("Requests that were refused at the door, by reason.")
                    .Register(registry)),
      full_(rejected_.Add({{"reason", "queue_full"}})),
      overload_(rejected_.Add({{"reason", "overload"}})),
      deadline_(rejected_.Add({{"reason", "deadline"}})),
      dropped_(BuildCounter()
                   .Name("larr_scoring_dropped_total")
                   .Help("Requests that were taken and not begun, by reason.")
                   .Register(registry)),
      expired_(dropped_.Add({{"reason", "expired"}})),
      cancelled_(dropped_.Add({{"reason", "cancelled"}})),
      length_(BuildGauge()
                  .Name("larr_scoring_queue_length")
                  .Help("Requests that wait for a thread.")
                  .Register(registry)
                  .Add({})),
      limit_(BuildGauge()
                 .Name("larr_scoring_queue_limit_seconds")
                 .Help("Requests that would wait longer are refused.")
                 .Register(registry)
                 .Add({})),
      delay_(BuildHistogram()
                 .Name("larr_scoring_queue_delay_seconds")
                 .Help("From a request's arrival until a thread took it up.")
                 .Register(registry)
                 .Add({}, DurationBuckets())) {}

void AdmissionMetrics::CountRejected(RejectReason reason) {
  switch (reason) {
    case RejectReason::kQueueFull:
      return full_.Increment();
    case RejectReason::kOverload:
      return overload_.Increment();
    case RejectReason::kDeadline:
      return deadline_.Increment();
  }
}

void AdmissionMetrics::CountDropped(DropReason reason) {
  switch (reason) {
    case DropReason::kExpired:
      return expired_.Increment();
    case DropReason::kCancelled:
      return cancelled_.Increment();
  }
}

scoring::v1::QueueState AdmissionMetrics::State() const {
  scoring::v1::QueueState state;
  state.set_waiting(static_cast<int>(length_.Value()));
  state.set_limit_ms(limit_.Value() * 1e3);
  state.set_admitted(static_cast<int64_t>(admitted_.Value()));
  state.set_rejected(static_cast<int64_t>(full_.Value() + overload_.Value() +
                                          deadline_.Value()));
  return state;
}

}  // namespace larr
