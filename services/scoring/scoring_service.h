// SPDX-License-Identifier: Apache-2.0
//
// larr.scoring.v1.ScoringService over gRPC's callback API: a call is checked
// and queued on gRPC's thread, scored and finished on one of the server's own.
//
// Ownership:  borrows the manager and the metrics.
// Threads:    safe.
#pragma once

#include <functional>

#include "larr/scoring/v1/scoring_service.grpc.pb.h"
#include "services/scoring/bundle_manager.h"
#include "services/scoring/scoring_metrics.h"
#include "services/scoring/worker_pool.h"

namespace larr {

struct ScoringOptions {
  int max_candidates = 1000;
  int threads = 1;
  // Requests that may wait for a thread; others get RESOURCE_EXHAUSTED.
  size_t queue_capacity = 256;
};

class ScoringService final
    : public scoring::v1::ScoringService::CallbackService {
 public:
  ScoringService(const ScoringOptions& options, const BundleManager& bundles,
                 ScoringMetrics& metrics);

  grpc::ServerUnaryReactor* Score(
      grpc::CallbackServerContext* context,
      const scoring::v1::ScoreRequest* request,
      scoring::v1::ScoreResponse* response) override;

  grpc::ServerUnaryReactor* GetServingState(
      grpc::CallbackServerContext* context,
      const scoring::v1::GetServingStateRequest* request,
      scoring::v1::ServingState* response) override;

 private:
  absl::Status ScoreNow(const grpc::CallbackServerContext& context,
                        const scoring::v1::ScoreRequest& request,
                        scoring::v1::ScoreResponse& response);

  const ScoringOptions options_;
  const BundleManager& bundles_;
  ScoringMetrics& metrics_;
  WorkerPool workers_;  // last: its threads use the rest
};

}  // namespace larr
