// SPDX-License-Identifier: Apache-2.0
#include "tools/market/backend.h"

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <type_traits>
#include <variant>

#include "common/base/status_macros.h"
#include "common/features/row.h"
#include "common/rpc/grpc_status.h"

namespace larr::market {
namespace {

using scoring::v1::ScoreRequest;
using scoring::v1::ScoreResponse;
using scoring::v1::ScoringAdminService;
using scoring::v1::ScoringService;

constexpr std::chrono::seconds kCallTime(10);
constexpr std::chrono::seconds kLoadTime(120);  // Of bundles, hashes included.

std::shared_ptr<grpc::Channel> ChannelTo(const std::string& address) {
  return grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
}

// The one value of a moment's column.
storage::v1::Value ValueOf(const city::Column& column) {
  storage::v1::Value proto;
  std::visit(
      [&](const auto& values) {
        using T = std::decay_t<decltype(values.front())>;
        if constexpr (std::is_same_v<T, int64_t> || std::is_same_v<T, double>) {
          proto = ToProto(Value(values.front()));
        } else if (values.front().has_value()) {
          proto = ToProto(Value(*values.front()));
        }
      },
      column.values);
  return proto;
}

}  // namespace

ScoreRequest MakeScoreRequest(const Market& market, int user,
                              const city::Columns& moment,
                              const std::vector<Candidate>& candidates) {
  const Schema& schema = market.schemas().impressions;
  ScoreRequest request;
  request.set_user_id(market.platform().users[user].id);
  request.set_top_k(kShown);
  request.set_order_by(scoring::v1::CTR);
  request.add_outputs(scoring::v1::CTR);
  for (const city::Column& column : moment) {
    const int index = schema.Find(column.name);
    if (index < 0) continue;
    if (market.schemas().impressions_context[index]) {
      (*request.mutable_context())[column.name] = ValueOf(column);
    }
  }
  for (const Candidate& candidate : candidates) {
    auto& proto = *request.add_candidates();
    proto.set_poi_id(market.platform().pois[candidate.poi].id);
    if (schema.Find("distance_km") >= 0) {
      (*proto.mutable_values())["distance_km"] =
          ToProto(Value(candidate.distance));
    }
    for (const city::Column& column : moment) {
      const int index = schema.Find(column.name);
      if (index < 0 || market.schemas().impressions_context[index]) continue;
      (*proto.mutable_values())[column.name] = ValueOf(column);
    }
  }
  return request;
}

Backend::Backend(programs::Server& scoring)
    : server_(scoring),
      scoring_(ScoringService::NewStub(ChannelTo(scoring.address()))),
      admin_(ScoringAdminService::NewStub(ChannelTo(scoring.admin_address()))) {
}

absl::Status Backend::SetArms(const scoring::v1::Arms& arms) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kLoadTime);
  context.set_wait_for_ready(true);
  scoring::v1::SetArmsRequest request;
  *request.mutable_arms() = arms;
  scoring::v1::Arms live;
  const grpc::Status status = admin_->SetArms(&context, request, &live);
  if (!status.ok()) LARR_RETURN_IF_ERROR(server_.Check());
  return FromGrpc(status);
}

absl::StatusOr<Answer> Backend::Ask(const ScoreRequest& request) {
  using Clock = std::chrono::steady_clock;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kCallTime);
  ScoreResponse response;
  const auto begin = Clock::now();
  const grpc::Status status = scoring_->Score(&context, request, &response);
  const auto end = Clock::now();
  if (!status.ok()) {
    LARR_RETURN_IF_ERROR(server_.Check());
    return FromGrpc(status);
  }
  Answer answer{.arm = response.arm(),
                .missing = response.missing(),
                .latency = end - begin};
  if (response.scores_size() != std::min(kShown, request.candidates_size())) {
    return absl::DataLossError(fmt::format("{} candidates got {} scores",
                                           request.candidates_size(),
                                           response.scores_size()));
  }
  for (const auto& score : response.scores()) {
    if (score.candidate() < 0 ||
        score.candidate() >= request.candidates_size()) {
      return absl::DataLossError(
          fmt::format("{} candidates got a score for candidate {}",
                      request.candidates_size(), score.candidate()));
    }
    answer.best.push_back(score.candidate());
  }
  return answer;
}

}  // namespace larr::market
