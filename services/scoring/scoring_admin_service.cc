// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/scoring_admin_service.h"

#include <utility>

#include "common/rpc/grpc_status.h"

namespace larr {

grpc::Status ScoringAdminService::SwitchBundle(
    grpc::ServerContext* /*context*/,
    const scoring::v1::SwitchBundleRequest* request,
    scoring::v1::ServingState* response) {
  auto state = bundles_.Switch(request->model_path(), request->snapshot_path());
  if (!state.ok()) return ToGrpc(state.status());
  *response = *std::move(state);
  return grpc::Status::OK;
}

}  // namespace larr
