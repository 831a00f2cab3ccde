// SPDX-License-Identifier: Apache-2.0
//
// larr.scoring.v1.ScoringService over gRPC's callback API. Score takes bytes:
// on gRPC's thread a call is admitted or refused by its size, unread; on one of
// the server's own it is read, scored and answered.
//
// Ownership:  borrows the router, the observers and the metrics.
// Threads:    safe.
#pragma once

#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/util/time_util.h>
#include <grpcpp/support/byte_buffer.h>

#include <chrono>
#include <cstddef>
#include <string_view>
#include <vector>

#include "larr/scoring/v1/scoring_service.grpc.pb.h"
#include "services/scoring/admission.h"
#include "services/scoring/admission_metrics.h"
#include "services/scoring/bundle_router.h"
#include "services/scoring/score_observer.h"
#include "services/scoring/scoring_metrics.h"
#include "services/scoring/work_queue.h"

namespace larr {

struct ScoringOptions {
  int max_candidates = 1000;
  // Larger requests get INVALID_ARGUMENT. Less than what gRPC reads.
  size_t max_request_bytes = size_t{1} << 20;
  // Of a call whose client sets none.
  std::chrono::milliseconds default_deadline{1000};
  AdmissionOptions admission;  // With the number of threads.
};

class ScoringService final
    : public scoring::v1::ScoringService::WithRawCallbackMethod_Score<
          scoring::v1::ScoringService::WithCallbackMethod_GetServingState<
              scoring::v1::ScoringService::Service>> {
 public:
  // `observers` see every call that was scored.
  ScoringService(const ScoringOptions& options, const BundleRouter& router,
                 std::vector<ScoreObserver*> observers, ScoringMetrics& metrics,
                 AdmissionMetrics& admission_metrics);

  // Of the metadata, `larr-request-id` is the caller's name for the request,
  // and `larr-arm` the arm or shadow that a tester wants.
  // Refused calls get RESOURCE_EXHAUSTED and, in the trailing metadata
  // `grpc-retry-pushback-ms`, after which time a try is worth while.
  grpc::ServerUnaryReactor* Score(grpc::CallbackServerContext* context,
                                  const grpc::ByteBuffer* request,
                                  grpc::ByteBuffer* response) override;

  grpc::ServerUnaryReactor* GetServingState(
      grpc::CallbackServerContext* context,
      const scoring::v1::GetServingStateRequest* request,
      scoring::v1::ServingState* response) override;

 private:
  class Call;

  // What the door needs to know of a call.
  absl::StatusOr<Admission::Request> Terms(
      const grpc::CallbackServerContext& context, size_t bytes) const;
  absl::Status ScoreNow(const grpc::CallbackServerContext& context,
                        std::chrono::system_clock::time_point arrival,
                        const scoring::v1::ScoreRequest& request,
                        scoring::v1::ScoreResponse& response);

  const ScoringOptions options_;
  const BundleRouter& router_;
  const std::vector<ScoreObserver*> observers_;
  ScoringMetrics& metrics_;
  const AdmissionMetrics& admission_metrics_;
  const google::protobuf::Timestamp start_time_ =
      google::protobuf::util::TimeUtil::GetCurrentTime();
  WorkQueue queue_;  // last: its threads use the rest
};

}  // namespace larr
