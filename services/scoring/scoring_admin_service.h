// SPDX-License-Identifier: Apache-2.0
//
// larr.scoring.v1.ScoringAdminService: for operators, on a port of its own.
//
// Ownership:  borrows manager, router and metrics.
// Threads:    safe; switches happen one after the other, as do changes of arms.
#pragma once

#include <functional>

#include "absl/status/status.h"
#include "larr/scoring/v1/scoring_service.grpc.pb.h"
#include "services/scoring/bundle_manager.h"
#include "services/scoring/bundle_router.h"
#include "services/scoring/scoring_metrics.h"

namespace larr {

class ScoringAdminService final
    : public scoring::v1::ScoringAdminService::Service {
 public:
  ScoringAdminService(BundleManager& bundles, BundleRouter& router,
                      ScoringMetrics& metrics)
      : bundles_(bundles), router_(router), metrics_(metrics) {}

  // Returns when the bundle is live, or was refused.
  grpc::Status SwitchBundle(grpc::ServerContext* context,
                            const scoring::v1::SwitchBundleRequest* request,
                            scoring::v1::ServingState* response) override;

  // Returns when the arms are live, or were refused.
  grpc::Status SetArms(grpc::ServerContext* context,
                       const scoring::v1::SetArmsRequest* request,
                       scoring::v1::Arms* response) override;

  grpc::Status GetArms(grpc::ServerContext* context,
                       const scoring::v1::GetArmsRequest* request,
                       scoring::v1::Arms* response) override;

 private:
  // Makes the call, and counts it.
  grpc::Status Measured(const char* method,
                        const std::function<absl::Status()>& call);

  BundleManager& bundles_;
  BundleRouter& router_;
  ScoringMetrics& metrics_;
};

}  // namespace larr
