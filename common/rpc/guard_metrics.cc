// SPDX-License-Identifier: Apache-2.0
#include "common/rpc/guard_metrics.h"

namespace larr {
namespace {

prometheus::Family<prometheus::Counter>& Refused(
    prometheus::Registry& registry) {
  return prometheus::BuildCounter()
      .Name("larr_rpc_refused_calls_total")
      .Help("Calls whose caller has not the role that they ask for")
      .Register(registry);
}

}  // namespace

GuardMetrics::GuardMetrics(prometheus::Registry& registry)
    : unauthenticated_(Refused(registry).Add({{"code", "UNAUTHENTICATED"}})),
      permission_denied_(
          Refused(registry).Add({{"code", "PERMISSION_DENIED"}})),
      certificate_ends_(
          prometheus::BuildGauge()
              .Name("larr_rpc_certificate_end_timestamp_seconds")
              .Help("When the certificate of new connections ends")
              .Register(registry)) {}

void GuardMetrics::CountRefused(const absl::Status& why) {
  (absl::IsPermissionDenied(why) ? permission_denied_ : unauthenticated_)
      .Increment();
}

void GuardMetrics::SetCertificateEnd(absl::Time end) {
  certificate_ends_.Add({}).Set(absl::ToDoubleSeconds(end - absl::UnixEpoch()));
}

}  // namespace larr
