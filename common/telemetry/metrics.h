// SPDX-License-Identifier: Apache-2.0
//
// Prometheus metrics of a program. Families are made once, in the file that
// counts; children are kept, since looking one up takes a lock:
//
//   struct Metrics {
//     explicit Metrics(prometheus::Registry& registry);
//     prometheus::Counter& requests;
//   };
//
// Names: larr_<service>_<thing>_<unit>[_total]. Labels from closed sets only.
#pragma once

#include <prometheus/registry.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace larr {

// Bucket bounds in seconds, 100 microseconds to 10 seconds, for durations of
// calls.
const std::vector<double>& DurationBuckets();

// Serves a registry at `http://<address>/metrics` for as long as it lives.
class MetricsExposer {
 public:
  // Whether a token may read the page.
  using TokenCheck = std::function<bool(const std::string& token)>;

  // `address` is host:port. With a `check`, readers send their token as the
  // password of HTTP basic authentication, under any user's name. Adds the
  // process's own figures (resident memory and its limit, CPU seconds, start
  // time, open files, threads) to what `registry` has.
  // Errors: kUnavailable  the port cannot be bound
  static absl::StatusOr<std::unique_ptr<MetricsExposer>> Start(
      const std::string& address,
      std::shared_ptr<prometheus::Registry> registry,  // shared with services
      const TokenCheck& check = {});
  virtual ~MetricsExposer() = default;
};

}  // namespace larr
