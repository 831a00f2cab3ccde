// SPDX-License-Identifier: Apache-2.0
//
// What a BundleManager counts.
#pragma once

#include "larr/scoring/v1/scoring_service.pb.h"

namespace larr {

// Threads: each manager calls from its own.
class BundleMetrics {
 public:
  virtual ~BundleMetrics() = default;
  // A bundle went live, or was refused.
  virtual void CountSwitch(const scoring::v1::ServingState& state) = 0;
  virtual void CountRefusedBundle() = 0;
};

}  // namespace larr
