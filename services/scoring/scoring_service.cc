// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/scoring_service.h"

#include <fmt/format.h>
#include <google/protobuf/arena.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "common/base/seconds_since.h"
#include "common/base/status_macros.h"
#include "common/rpc/grpc_status.h"
#include "common/rpc/raw_message.h"
#include "services/scoring/priority.h"
#include "services/scoring/request_scorer.h"
#include "services/scoring/time_left.h"

namespace larr {
namespace {

using Clock = std::chrono::steady_clock;

constexpr char kRetryAfterKey[] = "grpc-retry-pushback-ms";
constexpr char kRequestIdKey[] = "larr-request-id";
constexpr char kArmKey[] = "larr-arm";
constexpr size_t kArenaBlockBytes = size_t{64} << 10;

std::string Why(RejectReason reason) {
  switch (reason) {
    case RejectReason::kQueueFull:
      return "the queue is full";
    case RejectReason::kOverload:
      return "the server is overloaded";
    case RejectReason::kDeadline:
      return "it would not be answered before its deadline";
  }
  return "";
}

// Of the caller's metadata; empty if it is not there.
std::string_view Metadata(const grpc::CallbackServerContext& context,
                          const char* key) {
  const auto it = context.client_metadata().find(key);
  if (it == context.client_metadata().end()) return {};
  return {it->second.data(), it->second.size()};
}

}  // namespace

// One call of Score: gRPC keeps what it refers to until it is finished.
class ScoringService::Call final : public Work {
 public:
  Call(ScoringService& service, grpc::CallbackServerContext& context,
       const grpc::ByteBuffer& request, grpc::ByteBuffer& response)
      : service_(service),
        context_(context),
        request_(request),
        response_(response),
        reactor_(context.DefaultReactor()) {}

  bool IsCancelled() const override { return context_.IsCancelled(); }

  void Run() override {
    google::protobuf::ArenaOptions options;
    options.start_block_size = kArenaBlockBytes;
    google::protobuf::Arena arena(options);
    using scoring::v1::ScoreRequest;
    using scoring::v1::ScoreResponse;
    auto* request =
        google::protobuf::Arena::CreateMessage<ScoreRequest>(&arena);
    auto* response =
        google::protobuf::Arena::CreateMessage<ScoreResponse>(&arena);
    absl::Status status = ParseMessage(request_, *request);
    if (status.ok()) {
      status = service_.ScoreNow(context_, came_, *request, *response);
    }
    if (status.ok()) status = SerializeMessage(*response, response_);
    Finish(status);
  }

  void Drop(DropReason reason) override {
    Finish(reason == DropReason::kExpired
               ? absl::DeadlineExceededError("the deadline passed in the queue")
               : absl::CancelledError("the caller left"));
  }

  void Refuse(const Rejection& rejection) override {
    context_.AddTrailingMetadata(kRetryAfterKey,
                                 std::to_string(rejection.retry_after.count()));
    Finish(WithRetryDelay(
        absl::ResourceExhaustedError(
            fmt::format("{}; try again after {} ms or elsewhere",
                        Why(rejection.reason), rejection.retry_after.count())),
        rejection.retry_after));
  }

  // The context, the request and the response are gone after this.
  void Finish(const absl::Status& status) {
    const double seconds = SecondsSince(arrival_);
    service_.metrics_.CountCall(status.code(), seconds);
    reactor_->Finish(ToGrpc(status));
  }

  grpc::ServerUnaryReactor* reactor() const { return reactor_; }

 private:
  ScoringService& service_;
  grpc::CallbackServerContext& context_;
  const grpc::ByteBuffer& request_;
  grpc::ByteBuffer& response_;
  grpc::ServerUnaryReactor* const reactor_;
  const Clock::time_point arrival_ = Clock::now();
  const std::chrono::system_clock::time_point came_ =
      std::chrono::system_clock::now();
};

ScoringService::ScoringService(const ScoringOptions& options,
                               const BundleRouter& router,
                               std::vector<ScoreObserver*> observers,
                               ScoringMetrics& metrics,
                               AdmissionMetrics& admission_metrics)
    : options_(options),
      router_(router),
      observers_(std::move(observers)),
      metrics_(metrics),
      admission_metrics_(admission_metrics),
      queue_(options.admission, admission_metrics) {}

grpc::ServerUnaryReactor* ScoringService::Score(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
    grpc::ByteBuffer* response) {
  auto call = std::make_unique<Call>(*this, *context, *request, *response);
  grpc::ServerUnaryReactor* const reactor = call->reactor();
  const auto terms = Terms(*context, request->Length());
  if (terms.ok()) {
    queue_.Submit(*terms, std::move(call));
  } else {
    call->Finish(terms.status());
  }
  return reactor;
}

absl::StatusOr<Admission::Request> ScoringService::Terms(
    const grpc::CallbackServerContext& context, size_t bytes) const {
  if (bytes > options_.max_request_bytes) {
    return InvalidField(
        kWholeRequest,
        fmt::format("has {} bytes, more than max_request_bytes, {}; divide its "
                    "candidates",
                    bytes, options_.max_request_bytes));
  }
  Admission::Request terms;
  terms.bytes = bytes;
  const auto& metadata = context.client_metadata();
  if (const auto it = metadata.find(kPriorityKey); it != metadata.end()) {
    LARR_ASSIGN_OR_RETURN(
        terms.priority, ParsePriority({it->second.data(), it->second.size()}));
  }
  const Clock::duration time =
      TimeLeft(context.raw_deadline()).value_or(options_.default_deadline);
  terms.deadline = Clock::now() + std::min<Clock::duration>(time, kLongestLeft);
  return terms;
}

absl::Status ScoringService::ScoreNow(
    const grpc::CallbackServerContext& context,
    std::chrono::system_clock::time_point arrival,
    const scoring::v1::ScoreRequest& request,
    scoring::v1::ScoreResponse& response) {
  const std::string_view id = Metadata(context, kRequestIdKey);
  // Shared with the manager until this request is done: a switch meanwhile
  // must not take the bundle away.
  LARR_ASSIGN_OR_RETURN(
      const RoutedBundle routed,
      router_.Pick(request.user_id(), id, Metadata(context, kArmKey)));
  LARR_RETURN_IF_ERROR(
      routed.bundle->checker().Check(request, options_.max_candidates));
  LARR_ASSIGN_OR_RETURN(const RequestCounts counts,
                        ScoreRequest(*routed.bundle, request, response));
  // Late: nobody gets these scores.
  if (context.IsCancelled())
    return TimeLeft(context.raw_deadline()).value_or(kLongestLeft) <=
                   Clock::duration::zero()
               ? absl::DeadlineExceededError("the deadline passed meanwhile")
               : absl::CancelledError("the caller left");
  response.set_arm(routed.arm);
  metrics_.CountScored(request.candidates_size(), counts.missing);
  metrics_.CountPois(counts.pois, counts.prepared_pois);
  for (ScoreObserver* const observer : observers_) {
    observer->OnScored({request, response, id, arrival,
                        routed.bundle->reference(), counts.scores.ctr,
                        counts.scores.ctcvr});
  }
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* ScoringService::GetServingState(
    grpc::CallbackServerContext* context,
    const scoring::v1::GetServingStateRequest* /*request*/,
    scoring::v1::ServingState* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  const auto arrival = Clock::now();
  const absl::Status status = Fill(router_.State(), response);
  if (status.ok()) {
    *response->mutable_queue() = admission_metrics_.State();
    *response->mutable_start_time() = start_time_;
    metrics_.Describe(*response);
    for (const ScoreObserver* const observer : observers_) {
      observer->Describe(*response);
    }
  }
  const double seconds = SecondsSince(arrival);
  metrics_.CountCall("GetServingState", status.code(), seconds);
  reactor->Finish(ToGrpc(status));
  return reactor;
}

}  // namespace larr
