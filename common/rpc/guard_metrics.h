// SPDX-License-Identifier: Apache-2.0
//
// What the guard of a server's ports tells: calls that it refused, and how long
// its certificate lasts.
//
// Threads: safe.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace larr {

class GuardMetrics {
 public:
  // Outlived by `registry`.
  explicit GuardMetrics(prometheus::Registry& registry);

  // Counts a refusal of common/rpc/access.h.
  void CountRefused(const absl::Status& why);

  // The end of the certificate that new connections get.
  void SetCertificateEnd(absl::Time end);

 private:
  prometheus::Counter& unauthenticated_;
  prometheus::Counter& permission_denied_;
  prometheus::Family<prometheus::Gauge>& certificate_ends_;
};

}  // namespace larr
