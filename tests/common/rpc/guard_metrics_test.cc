// SPDX-License-Identifier: Apache-2.0
#include "common/rpc/guard_metrics.h"

#include <catch2/catch.hpp>
#include <string>

#include "tests/testing/metrics_text.h"

namespace larr {
namespace {

TEST_CASE("Refusals are counted by code, and a certificate's end is told",
          "[rpc]") {
  prometheus::Registry registry;
  GuardMetrics metrics(registry);
  const auto text = [&] { return testing::MetricsText(registry); };
  CHECK_THAT(text(), !Catch::Contains("certificate_end_timestamp_seconds "));
  metrics.CountRefused(absl::UnauthenticatedError("nobody"));
  metrics.CountRefused(absl::UnauthenticatedError("nobody"));
  metrics.CountRefused(absl::PermissionDeniedError("not this"));
  metrics.SetCertificateEnd(absl::FromUnixSeconds(1'800'000'000));
  CHECK_THAT(
      text(),
      Catch::Contains(
          "larr_rpc_refused_calls_total{code=\"UNAUTHENTICATED\"} 2") &&
          Catch::Contains(
              "larr_rpc_refused_calls_total{code=\"PERMISSION_DENIED\"} 1") &&
          Catch::Contains(
              "larr_rpc_certificate_end_timestamp_seconds 1800000000"));
}

}  // namespace
}  // namespace larr
