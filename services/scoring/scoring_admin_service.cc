// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/scoring_admin_service.h"

#include "common/rpc/grpc_status.h"

namespace larr {

grpc::Status ScoringAdminService::SwitchBundle(
    grpc::ServerContext* /*context*/,
    const scoring::v1::SwitchBundleRequest* request,
    scoring::v1::ServingState* response) {
  return ToGrpc(
      Fill(bundles_.Switch(request->model_path(), request->snapshot_path()),
           response));
}

grpc::Status ScoringAdminService::SetArms(
    grpc::ServerContext* /*context*/,
    const scoring::v1::SetArmsRequest* request, scoring::v1::Arms* response) {
  return ToGrpc(Fill(router_.SetArms(request->arms()), response));
}

grpc::Status ScoringAdminService::GetArms(
    grpc::ServerContext* /*context*/,
    const scoring::v1::GetArmsRequest* /*request*/,
    scoring::v1::Arms* response) {
  *response = router_.arms();
  return grpc::Status::OK;
}

}  // namespace larr
