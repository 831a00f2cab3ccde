// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/scoring_admin_service.h"

#include <chrono>

#include "common/base/seconds_since.h"
#include "common/rpc/grpc_status.h"

namespace larr {

grpc::Status ScoringAdminService::Measured(
    const char* method, const std::function<absl::Status()>& call) {
  const auto start = std::chrono::steady_clock::now();
  const absl::Status status = call();
  const double elapsed = SecondsSince(start);
  metrics_.CountCall(method, status.code(), elapsed);
  return ToGrpc(status);
}

grpc::Status ScoringAdminService::SwitchBundle(
    grpc::ServerContext* /*context*/,
    const scoring::v1::SwitchBundleRequest* request,
    scoring::v1::ServingState* response) {
  return Measured("SwitchBundle", [&] {
    return Fill(
        bundles_.Switch(request->model_path(), request->snapshot_path()),
        response);
  });
}

grpc::Status ScoringAdminService::SetArms(
    grpc::ServerContext* /*context*/,
    const scoring::v1::SetArmsRequest* request, scoring::v1::Arms* response) {
  return Measured("SetArms", [&] {
    return Fill(router_.SetArms(request->arms()), response);
  });
}

grpc::Status ScoringAdminService::GetArms(
    grpc::ServerContext* /*context*/,
    const scoring::v1::GetArmsRequest* /*request*/,
    scoring::v1::Arms* response) {
  return Measured("GetArms", [&] {
    *response = router_.arms();
    return absl::OkStatus();
  });
}

}  // namespace larr
