// SPDX-License-Identifier: Apache-2.0
//
// larr.scoring.v1.ScoringAdminService: for operators, on a port of its own.
//
// Ownership:  borrows the manager.
// Threads:    safe; switches happen one after the other.
#pragma once

#include "larr/scoring/v1/scoring_service.grpc.pb.h"
#include "services/scoring/bundle_manager.h"

namespace larr {

class ScoringAdminService final
    : public scoring::v1::ScoringAdminService::Service {
 public:
  explicit ScoringAdminService(BundleManager& bundles) : bundles_(bundles) {}

  // Returns when the bundle is live, or was refused.
  grpc::Status SwitchBundle(grpc::ServerContext* context,
                            const scoring::v1::SwitchBundleRequest* request,
                            scoring::v1::ServingState* response) override;

 private:
  BundleManager& bundles_;
};

}  // namespace larr
