// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/scoring_service.h"

#include <fmt/format.h>

#include <chrono>

#include "common/base/status_macros.h"
#include "common/rpc/grpc_status.h"
#include "services/scoring/request_scorer.h"

namespace larr {

ScoringService::ScoringService(const ScoringOptions& options,
                               const BundleManager& bundles,
                               ScoringMetrics& metrics)
    : options_(options),
      bundles_(bundles),
      metrics_(metrics),
      workers_(options.threads, options.queue_capacity) {}

grpc::ServerUnaryReactor* ScoringService::Score(
    grpc::CallbackServerContext* context,
    const scoring::v1::ScoreRequest* request,
    scoring::v1::ScoreResponse* response) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point arrival = Clock::now();
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  const auto finish = [this, reactor, arrival](const absl::Status& status) {
    const std::chrono::duration<double> seconds = Clock::now() - arrival;
    metrics_.CountCall(status.code(), seconds.count());
    reactor->Finish(ToGrpc(status));  // the request is gone after this
  };
  const bool taken = workers_.Submit(
      [=, this] { finish(ScoreNow(*context, *request, *response)); });
  if (!taken) {
    finish(absl::ResourceExhaustedError(
        fmt::format("{} requests wait already; try again later or elsewhere",
                    options_.queue_capacity)));
  }
  return reactor;
}

absl::Status ScoringService::ScoreNow(
    const grpc::CallbackServerContext& context,
    const scoring::v1::ScoreRequest& request,
    scoring::v1::ScoreResponse& response) {
  if (context.IsCancelled()) return absl::CancelledError("the caller left");
  if (context.deadline() < std::chrono::system_clock::now()) {
    return absl::DeadlineExceededError("the deadline passed in the queue");
  }
  // Shared with the manager until this request is done: a switch meanwhile
  // must not take the bundle away.
  const std::shared_ptr<const Bundle> bundle = bundles_.current();
  if (bundle == nullptr) {
    return absl::UnavailableError(bundles_.WhyNothingIsServed());
  }
  LARR_RETURN_IF_ERROR(
      bundle->checker().Check(request, options_.max_candidates));
  LARR_ASSIGN_OR_RETURN(const RequestCounts counts,
                        ScoreRequest(*bundle, request, response));
  metrics_.CountScored(request.candidates_size(), counts.missing);
  metrics_.CountPois(counts.pois, counts.prepared_pois);
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* ScoringService::GetServingState(
    grpc::CallbackServerContext* context,
    const scoring::v1::GetServingStateRequest* /*request*/,
    scoring::v1::ServingState* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  const std::shared_ptr<const Bundle> bundle = bundles_.current();
  if (bundle == nullptr) {
    reactor->Finish(
        ToGrpc(absl::UnavailableError(bundles_.WhyNothingIsServed())));
  } else {
    *response = bundle->state();
    response->set_refusal(bundles_.refusal());
    reactor->Finish(grpc::Status::OK);
  }
  return reactor;
}

}  // namespace larr
