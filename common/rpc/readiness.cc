// SPDX-License-Identifier: Apache-2.0
#include "common/rpc/readiness.h"

namespace larr {

void Readiness::Set() {
  const std::lock_guard lock(mutex_);
  if (ready_) return;
  ready_ = true;
  if (health_ != nullptr) health_->SetServingStatus(true);
}

void Readiness::Attach(grpc::HealthCheckServiceInterface* health) {
  const std::lock_guard lock(mutex_);
  health_ = health;
  if (health_ != nullptr) health_->SetServingStatus(ready_);
}

}  // namespace larr
